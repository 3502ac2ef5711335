import { expect, test } from 'vitest';
import { ArmatureError, ByteReader, ByteWriter } from '@armature/kernel';
import { protocolCodec } from './codec.js';
import { doorCodec } from './door-codec.js';
import { MAX_DOCUMENT_BYTES } from './limits.js';
import type { Request } from './messages.js';

const refusal = (kind: string): ArmatureError => new ArmatureError('forbidden', `no ${kind} here`);
const door = doorCodec(new Set(['ping', 'scan']), refusal);

function bytesOf(request: Request): Uint8Array {
  const writer = new ByteWriter();
  protocolCodec.encodeRequest(writer, request);
  return writer.finish();
}

/** A message of this kind, of which the rest is no message at all. */
const garbage = (request: Request): Uint8Array => Uint8Array.of(bytesOf(request)[0] as number, 0xff, 0xff);

test('a door decodes what it answers', () => {
  expect(door.decodeRequest(new ByteReader(bytesOf({ kind: 'ping' })))).toEqual({ kind: 'ping' });
});

test('what it does not answer is refused by its first byte: nothing else of it is read', () => {
  const reader = new ByteReader(garbage({ kind: 'gossip', fingerprint: '', records: [] }));
  expect(() => door.decodeRequest(reader)).toThrow('no gossip here');
  expect(reader.offset).toBe(0);
});

test.each(['gossip', 'propose'] as const)('a document of a %s that is larger than any honest one is not parsed', (kind) => {
  const tag = kind === 'gossip' ? bytesOf({ kind, fingerprint: '', records: [] })[0] : 8;
  const largest = MAX_DOCUMENT_BYTES[kind];
  const document = new ByteWriter()
    .u8(tag as number)
    .varint(largest + 1)
    .raw(new Uint8Array(10))
    .finish();
  expect(() => protocolCodec.decodeRequest(new ByteReader(document))).toThrow(`at most ${largest} are allowed`);
});
