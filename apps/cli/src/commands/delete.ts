/** `armature delete`: what is there now, or what a get returned, is deleted; a write concurrent with the delete survives it. */
import { ReadContext } from '@armature/client';
import { define, option, type Outcome } from '../command.js';
import { bytesField, keyText } from '../format.js';
import { tellNotFound } from '../not-found.js';
import type { Session } from '../session.js';
import {
  base64Key,
  bucketOf,
  keyOf,
  writeQuorums,
  writeQuorumsOf,
  type KeyOptions,
  type WriteQuorumOptions,
} from './key-options.js';
import { rawAs } from './put.js';

interface DeleteOptions extends KeyOptions, WriteQuorumOptions {
  readonly context?: string;
}

export const deleteCommand = define<DeleteOptions>({
  details:
    'All values that the key holds now are deleted, or with --context those that an earlier get returned.\nExit code 4: there was nothing to delete.',
  options: [option('--context <text>', 'delete what the get that printed this context returned'), ...writeQuorums, base64Key],
  examples: ['delete default greeting'],
  run: (session, [bucket, key], options) => remove(session, bucket, key, options),
});

async function remove(
  session: Session,
  bucket: string | undefined,
  key: string | undefined,
  options: DeleteOptions,
): Promise<Outcome> {
  const keyBytes = keyOf(options, key);
  const context = options.context === undefined ? undefined : ReadContext.fromString(options.context);
  const target = await bucketOf(session, bucket, { codec: rawAs('application/octet-stream') });
  const deleted = await target.delete(keyBytes, { context, ...writeQuorumsOf(options) });
  if (!deleted) return tellNotFound(session, `there is no key ${keyText(keyBytes)} in bucket ${target.name}`);
  if (session.voice.json) await session.printJson({ bucket: target.name, ...bytesField('key', keyBytes), deleted });
  return undefined;
}
