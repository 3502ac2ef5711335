/**
 * `armature keys`: one key per line, as the cluster walks its ring. Keys are any bytes, so those that are no plain text are
 * escaped.
 */
import { exactUtf8Decode, isPlainLine, toBase64Url } from '@armature/kernel';
import { define, option, type Outcome } from '../command.js';
import { bytesField, keyText, plural } from '../format.js';
import { integerBetween } from '../parse.js';
import type { Session } from '../session.js';
import { bucketOf } from './key-options.js';
import { rawAs } from './put.js';

interface KeysOptions {
  readonly limit?: number;
  readonly base64?: boolean;
}

export const keysCommand = define<KeysOptions>({
  details:
    'One key per line, in ring order, which is to say in no order. It is a listing, not a snapshot: keys written meanwhile\n' +
    'may or may not be in it. It reads the whole bucket from its replicas, so do not poll it.\n' +
    'Keys that are not plain text are escaped; --base64 and --json give every key exactly.',
  options: [
    option('--limit <count>', 'stop after this many', integerBetween('--limit', 1, 1e12)),
    option('--base64', 'print all keys as base64, for --base64-key'),
  ],
  examples: ['keys default', 'keys default --limit 10', 'keys default --json | jq -r .key'],
  run: (session, [bucket], options) => keys(session, bucket, options),
});

async function keys(session: Session, bucket: string | undefined, options: KeysOptions): Promise<Outcome> {
  const target = await bucketOf(session, bucket, { codec: rawAs('application/octet-stream') });
  const show = (key: Uint8Array): string =>
    session.voice.json ? JSON.stringify(bytesField('key', key)) : options.base64 === true ? toBase64Url(key) : keyText(key);
  let count = 0;
  let escaped = 0;
  for await (const key of target.keys()) {
    await session.print(show(key));
    const text = exactUtf8Decode(key);
    if (text === undefined || !isPlainLine(text)) escaped++;
    if (++count === options.limit) break;
  }
  if (escaped > 0 && options.base64 !== true) {
    await session.note(`${plural(escaped, 'key is', 'keys are')} not plain text and shown escaped; see --base64, --json`);
  }
  return undefined;
}
