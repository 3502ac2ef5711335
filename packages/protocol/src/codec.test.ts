import { ByteReader, ByteWriter, DecodeError, hlcFromMs } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyReply, anyRequest, repliesByKind, requestsByKind } from './arbitraries.test-support.js';
import { protocolCodec } from './codec.js';
import type { Reply, Request } from './messages.js';
import { MAX_N } from './quorum-word.js';

function requestBytes(request: Request): Uint8Array {
  const w = new ByteWriter();
  protocolCodec.encodeRequest(w, request);
  return w.finish();
}

function replyBytes(reply: Reply): Uint8Array {
  const w = new ByteWriter();
  protocolCodec.encodeReply(w, reply);
  return w.finish();
}

/** Decodes and demands that nothing is left. */
function wholly<T>(decode: (r: ByteReader) => T, bytes: Uint8Array): T {
  const r = new ByteReader(bytes);
  const out = decode(r);
  r.end();
  return out;
}

/** Blobs decode to Buffers, which equal no plain Uint8Array: compare what is in them. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

describe('round trip', () => {
  for (const [kind, requests] of Object.entries(requestsByKind) as [string, fc.Arbitrary<Request>][]) {
    test(`request ${kind}: decodes to what was encoded, to the last byte`, () => {
      fc.assert(
        fc.property(requests, (request) => {
          expect(plain(wholly(protocolCodec.decodeRequest, requestBytes(request)))).toEqual(plain(request));
        }),
      );
    });
  }
  for (const [kind, replies] of Object.entries(repliesByKind) as [string, fc.Arbitrary<Reply>][]) {
    test(`reply ${kind}: decodes to what was encoded, to the last byte`, () => {
      fc.assert(
        fc.property(replies, (reply) => {
          expect(plain(wholly(protocolCodec.decodeReply, replyBytes(reply)))).toEqual(plain(reply));
        }),
      );
    });
  }

  test('several messages in one frame: each decoder stops where its message ends', () => {
    fc.assert(
      fc.property(fc.array(anyRequest, { maxLength: 5 }), (requests) => {
        const w = new ByteWriter();
        for (const request of requests) protocolCodec.encodeRequest(w, request);
        const r = new ByteReader(w.finish());
        for (const request of requests) expect(plain(protocolCodec.decodeRequest(r))).toEqual(plain(request));
        r.end();
      }),
    );
  });

  test('blobs are views into the frame: no byte of a value is copied', () => {
    const value = new Uint8Array(1000).fill(7);
    const frame = replyBytes({ kind: 'read', set: value });
    const reply = protocolCodec.decodeReply(new ByteReader(frame));
    expect(reply.kind === 'read' && reply.set?.buffer).toBe(frame.buffer);
  });
});

describe('hostile bytes', () => {
  const decoders = [protocolCodec.decodeRequest, protocolCodec.decodeReply] as const;

  /** What a decoded message holds, in bytes and elements, must have been in the input. */
  function size(value: unknown): number {
    if (value instanceof Uint8Array || typeof value === 'string') return value.length;
    if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + 1 + size(one), 0);
    if (typeof value !== 'object' || value === null) return 0;
    return Object.values(value).reduce<number>((sum, one) => sum + size(one), 0);
  }

  /** The longest words that one byte stands for: kinds, roles, outcomes, durabilities, error codes, quorums. */
  const WORD_BYTES = 16;

  function decodesOrRefuses(bytes: Uint8Array): void {
    for (const decode of decoders) {
      try {
        expect(size(decode(new ByteReader(bytes)))).toBeLessThanOrEqual(bytes.length * WORD_BYTES);
      } catch (thrown) {
        if (!(thrown instanceof DecodeError)) throw thrown;
      }
    }
  }

  const encoded = fc.oneof(anyRequest.map(requestBytes), anyReply.map(replyBytes));

  test('any bytes: a message or a DecodeError', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodesOrRefuses), { numRuns: 2_000 });
  });

  test('any bytes after a known tag: a message or a DecodeError', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 17 }), fc.uint8Array({ maxLength: 200 }), (tag, rest) =>
        decodesOrRefuses(Uint8Array.of(tag, ...rest)),
      ),
      { numRuns: 5_000 },
    );
  });

  test('a message with some bytes changed: a message or a DecodeError', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(encoded, changes, (bytes, edits) => {
        const mutated = Uint8Array.from(bytes);
        for (const [offset, byte] of edits) mutated[offset % mutated.length] = byte;
        decodesOrRefuses(mutated);
      }),
      { numRuns: 3_000 },
    );
  });

  test('a truncated request is refused at every length', () => {
    fc.assert(
      fc.property(anyRequest, (request) => {
        const bytes = requestBytes(request);
        for (let length = 0; length < bytes.length; length++) {
          expect(() => protocolCodec.decodeRequest(new ByteReader(bytes.subarray(0, length)))).toThrow(DecodeError);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a truncated reply is refused at every length', () => {
    fc.assert(
      fc.property(anyReply, (reply) => {
        const bytes = replyBytes(reply);
        for (let length = 0; length < bytes.length; length++) {
          expect(() => protocolCodec.decodeReply(new ByteReader(bytes.subarray(0, length)))).toThrow(DecodeError);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a count of 2^50 elements in ten bytes is refused before anything is made', () => {
    for (const tag of [3, 4, 6, 12, 13]) {
      const bytes = new ByteWriter()
        .u8(tag)
        .varint(2 ** 50)
        .u8(0)
        .finish();
      expect(() => protocolCodec.decodeReply(new ByteReader(bytes))).toThrow(/count|truncated/);
    }
  });

  test('control messages: any JSON is a message or a DecodeError', () => {
    const document = fc.oneof(fc.json({ maxDepth: 4 }), fc.string());
    fc.assert(
      fc.property(fc.constantFrom(7, 8, 9), document, (tag, json) =>
        decodesOrRefuses(new ByteWriter().u8(tag).text(json).finish()),
      ),
      { numRuns: 1_000 },
    );
  });

  test('control messages nested 200,000 deep are refused, not overflowed on', () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    for (const json of [
      deep,
      `{"kind":${deep}}`,
      `{"fingerprint":"","records":[${deep}]}`,
      `{"kind":"bucket","bucket":"b","properties":{"n":${deep}}}`,
    ]) {
      for (const tag of [7, 8, 9]) decodesOrRefuses(new ByteWriter().u8(tag).text(json).finish());
    }
  });

  test('flags with unknown bits are refused, so that a later version can use them', () => {
    const scan = requestBytes({ kind: 'scan', bucket: 'b' as never, cursor: '' as never, limit: 1, withValues: true });
    scan[scan.length - 1] = 2;
    expect(() => protocolCodec.decodeRequest(new ByteReader(scan))).toThrow(DecodeError);
    expect(() => protocolCodec.decodeReply(new ByteReader(Uint8Array.of(2, 2)))).toThrow(DecodeError);
  });

  test('a status that is not one is refused', () => {
    for (const json of ['{}', '{"name":"a"}', '[]', 'null']) {
      expect(() => protocolCodec.decodeReply(new ByteReader(new ByteWriter().u8(9).text(json).finish()))).toThrow(DecodeError);
    }
  });
});

describe('encoders', () => {
  test('a quorum that is no quorum is a bug of the sender, not another word to the receiver', () => {
    for (const r of [254, 255, -1, 1.5, MAX_N + 1]) {
      const request: Request = { kind: 'fetch', address: 'x'.repeat(20) as never, options: { r, pr: 'default' } };
      expect(() => requestBytes(request)).toThrow('quorum');
    }
  });

  test('timestamps of this century fit', () => {
    const at = hlcFromMs(Date.UTC(2099, 11, 31));
    const reply: Reply = {
      kind: 'fetch',
      siblings: [{ value: Uint8Array.of(1), tombstone: false, at, meta: [] }],
      context: Uint8Array.of(),
      receipt: { coordinator: 'a' as never, replicas: [] },
    };
    expect(plain(protocolCodec.decodeReply(new ByteReader(replyBytes(reply))))).toEqual(plain(reply));
  });
});
