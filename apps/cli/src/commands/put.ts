/**
 * `armature put`. To a person, to put is to replace; to Dynamo it is to add a version, which replaces only what its context has
 * seen (paper, section 4.4). So the command reads the key first and writes with that context, unless it is given one, or
 * told to write blindly.
 */
import { readFileSync } from 'node:fs';
import { ReadContext, type Codec } from '@armature/client';
import { ArmatureError, quoted, toArmatureError, toHex } from '@armature/kernel';
import { MAX_VALUE_BYTES } from '@armature/protocol';
import { systemRandom } from '@armature/runtime';
import { define, option, repeated } from '../command.js';
import { bytesField, plural, sizeText } from '../format.js';
import type { InputStream } from '../io.js';
import { bytesOfText, invalid, pair } from '../parse.js';
import { tellReceipt } from '../receipt.js';
import type { Session } from '../session.js';
import {
  base64Key,
  bucketOf,
  keyOf,
  showReceipt,
  writeQuorums,
  writeQuorumsOf,
  type KeyOptions,
  type WriteQuorumOptions,
} from './key-options.js';

interface PutOptions extends KeyOptions, WriteQuorumOptions {
  readonly file?: string;
  readonly context?: string;
  readonly blind?: boolean;
  readonly operation?: string;
  readonly contentType?: string;
  readonly meta?: readonly string[];
  readonly receipt?: boolean;
}

export const putCommand = define<PutOptions>({
  details:
    'The value is the argument, the content of --file, or standard input. It replaces what the key holds now: the key is\n' +
    'read first, and the write carries the context of that read. A write that happens in between is not lost, it becomes\n' +
    'a sibling. With --context the write replaces exactly what an earlier get returned; with --blind it replaces nothing.',
  options: [
    option('-f, --file <file>', 'read the value from a file ("-": standard input)'),
    option('--context <text>', 'replace what the get that printed this context returned'),
    option('--blind', 'write without reading; beside an existing value it becomes a sibling').conflicts('context'),
    ...writeQuorums,
    option('--operation <id>', '16 hex digits, the same for each repetition of one write', operationId),
    option('--content-type <type>', "the value's type, kept with it"),
    repeated('--meta <name=value>', 'metadata to keep with the value; may be repeated'),
    base64Key,
    showReceipt,
  ],
  examples: [
    'put default greeting hello',
    'put carts alice \'{"items": []}\' --content-type application/json',
    'put photos cat.jpg --file cat.jpg --meta camera=leica',
    'date | armature put default now',
    "put default greeting -- '-a value that begins with a dash'",
  ],
  run: (session, [bucket, key, value], options) => put(session, bucket, key, value, options),
});

async function put(
  session: Session,
  bucket: string | undefined,
  key: string | undefined,
  given: string | undefined,
  options: PutOptions,
) {
  const keyBytes = keyOf(options, key);
  const meta = metaOf(options.meta ?? []);
  const explicit = options.context === undefined ? undefined : ReadContext.fromString(options.context);
  const value = await valueOf(session, given, options.file);
  const contentType = options.contentType ?? (given === undefined ? 'application/octet-stream' : 'text/plain; charset=utf-8');
  const target = await bucketOf(session, bucket, { codec: rawAs(contentType) });

  let context = explicit;
  let replaced = 0;
  if (explicit === undefined && options.blind !== true) {
    const found = await target.outline(keyBytes).catch((thrown: unknown) => {
      throw withBlindRemedy(toArmatureError(thrown));
    });
    context = found.context;
    replaced = found.siblings.length;
  }
  const operation = options.operation ?? toHex(systemRandom().bytes(8));
  const written = await target
    .put(keyBytes, value, { context, meta, operation, repeated: options.operation !== undefined, ...writeQuorumsOf(options) })
    .catch((thrown: unknown) => {
      throw withRepeatRemedy(toArmatureError(thrown), operation, explicit !== undefined || options.blind === true);
    });
  if (replaced > 1) await session.note(`replaced ${plural(replaced, 'concurrent value')}`);
  await tellReceipt(session, options, written.receipt);
  if (session.voice.json) {
    await session.printJson({
      bucket: target.name,
      ...bytesField('key', keyBytes),
      sizeBytes: value.length,
      ...(explicit === undefined ? { replaced } : {}),
      context: written.context.toString(),
      receipt: written.receipt,
    });
  }
  return undefined;
}

function metaOf(texts: readonly string[]): Readonly<Record<string, string>> {
  const entries = new Map<string, string>();
  for (const [name, value] of texts.map((text) => pair('--meta', text))) {
    if (entries.has(name)) throw invalid(`--meta ${quoted(name)} is given twice`, 'Give each name once.');
    entries.set(name, value);
  }
  return Object.fromEntries(entries);
}

/** Bytes as they come, under a given type. */
export function rawAs(contentType: string): Codec<Uint8Array> {
  return { encode: (value) => value, decode: (stored) => stored, contentType };
}

async function valueOf(session: Session, given: string | undefined, file: string | undefined): Promise<Uint8Array> {
  if (given !== undefined) {
    if (file !== undefined) throw invalid('there are two values: the argument and --file', 'Give one of them.');
    return bytesOfText(given, 'the value', 'Give it with --file, or through standard input.');
  }
  if (file === undefined || file === '-') {
    if (session.io.stdin.isTTY === true) await session.note('reading the value from the terminal; Ctrl-D ends it');
    return readAll(session.io.stdin);
  }
  try {
    return readFileSync(file);
  } catch (thrown) {
    throw new ArmatureError('invalid-argument', `cannot read ${file}: ${(thrown as Error).message}`, {
      remedy: 'Correct --file.',
      cause: thrown,
    });
  }
}

async function readAll(input: InputStream): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of input) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : (chunk as Buffer);
    sizeBytes += bytes.length;
    if (sizeBytes > MAX_VALUE_BYTES) {
      throw new ArmatureError('too-large', `the value is larger than ${sizeText(MAX_VALUE_BYTES)}`, {
        remedy: 'Cut it into several values, or keep it in an object store and put its address here.',
      });
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function operationId(text: string): string {
  if (/^[0-9a-f]{16}$/.test(text)) return text;
  throw invalid(`--operation ${quoted(text)} is no operation id`, 'Give 16 hex digits, as an earlier error told them.');
}

/** A write that may have happened is repeated by reading first again, or else under its own id. */
function withRepeatRemedy(error: ArmatureError, operation: string, isOwnContext: boolean): ArmatureError {
  if (error.code !== 'partial-write' && error.code !== 'unknown-outcome') return error;
  return new ArmatureError(error.code, error.message, {
    remedy: isOwnContext
      ? `It may surface. Repeat the command with --operation ${operation}: if this write did happen, the two count as one.`
      : 'It may surface. Repeat the command: it reads first, and replaces what has surfaced.',
    cause: error,
    details: { ...error.details, operation },
  });
}

/** The store stays writable when it cannot be read; this command's default needs both. */
function withBlindRemedy(error: ArmatureError): ArmatureError {
  if (error.code !== 'unavailable' && error.code !== 'timeout') return error;
  const { owners, needed } = error.details;
  if (Array.isArray(owners) && owners.length < Number(needed)) return error; // nor could it be written
  return new ArmatureError(error.code, `the key could not be read before the write: ${error.message}`, {
    remedy: '--blind writes without reading; beside an existing value it becomes a sibling.',
    cause: error,
    details: error.details,
  });
}
