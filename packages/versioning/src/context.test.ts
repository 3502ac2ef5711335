import {
  type ArmatureError,
  AssertionError,
  ByteWriter,
  bytesEqual,
  concatBytes,
  hlcFromMs,
  seededRandom,
  toHex,
  unwrap,
  type BinaryString,
  type ClusterName,
  type NodeId,
} from '@armature/kernel';
import * as fc from 'fast-check';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { mintActorId, type ActorId } from './actor.js';
import { ACTORS, vector } from './arbitrary.test-support.js';
import {
  MAX_CONTEXT_BYTES,
  contextFromText,
  contextToText,
  deriveContextKey,
  openContext,
  sealContext,
  type ContextBinding,
  type ContextContents,
} from './context.js';
import { MAX_CONTEXT_ENTRIES } from './version-set.js';
import { descends, versionVector } from './version-vector.js';

const cluster = 'shop' as ClusterName;
const key = deriveContextKey('a secret of the cluster', cluster);
const binding: ContextBinding = { cluster, address: 'carts\0alice\xff' as BinaryString };
const contents: ContextContents = {
  clock: versionVector(ACTORS.map((actor, i) => ({ actor, counter: 1000 ** i }))),
  at: hlcFromMs(1_800_000_000_000),
  fastest: 'node-2' as NodeId,
};
const sealed = sealContext(contents, key, binding);

function refused(bytes: Uint8Array, by = key, at = binding): ArmatureError {
  const opened = openContext(bytes, by, at);
  if (opened.ok) throw new Error('opened');
  expect(opened.error.code).toBe('invalid-context');
  expect(opened.error.remedy).toBeTruthy();
  return opened.error;
}

describe('contexts', () => {
  it('round trip, in bytes and in text', () => {
    const fastest = fc.constantFrom(undefined, 'n1' as NodeId, 'x'.repeat(64) as NodeId);
    const at = fc.nat().map((ms) => hlcFromMs(ms));
    fc.assert(
      fc.property(vector, at, fastest, (clock, at, fastest) => {
        const bytes = sealContext({ clock, at, fastest }, key, binding);
        expect(openContext(bytes, key, binding)).toEqual({ ok: true, value: { clock, at, fastest } });
        const carried = contextFromText(contextToText(bytes));
        expect(carried.ok && bytesEqual(carried.value, bytes)).toBe(true);
        expect(contextToText(bytes)).toMatch(/^[A-Za-z0-9_-]+$/);
      }),
    );
  });

  it('every bit of every byte counts: any change is refused', () => {
    for (let i = 0; i < sealed.length; i++) {
      for (let bit = 0; bit < 8; bit++) refused(sealed.with(i, (sealed[i] as number) ^ (1 << bit)));
    }
  });

  it('every proper prefix is refused as truncated; bytes appended are refused', () => {
    for (let length = 0; length < sealed.length; length++)
      expect(refused(sealed.subarray(0, length)).message).toContain('truncated');
    expect(refused(concatBytes([sealed, Uint8Array.of(0)])).message).toContain('1 bytes too many');
  });

  it('another secret, cluster or address: refused, in the same words as a forgery', () => {
    const forged = refused(sealed.with(20, 0xee)).message;
    expect(refused(sealed, deriveContextKey('another secret', cluster)).message).toBe(forged);
    expect(refused(sealed, deriveContextKey('a secret of the cluster', 'mall' as ClusterName)).message).toBe(forged);
    expect(refused(sealed, key, { ...binding, cluster: 'mall' as ClusterName }).message).toBe(forged);
    expect(refused(sealed, key, { ...binding, address: 'carts\0bob' as BinaryString }).message).toBe(forged);
  });

  it('the parts of the binding cannot pass for one another', () => {
    const moved = { cluster: 'shopc' as ClusterName, address: 'arts\0alice\xff' as BinaryString };
    refused(sealed, key, moved);
  });

  it('another format is told apart from a forgery', () => {
    expect(refused(sealed.with(0, 2)).message).toContain('unsupported format 2');
  });

  it('arbitrary bytes: a typed refusal, never another exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => !openContext(bytes, key, binding).ok),
      { numRuns: 1000 },
    );
    const random = seededRandom('context');
    expect(refused(random.bytes(MAX_CONTEXT_BYTES + 1)).message).toContain('exceeds');
  });

  it('authentic contents that do not parse (a process of another version): refused, not thrown', () => {
    const sign = (body: Uint8Array): Uint8Array => {
      const framed = new ByteWriter().u8(1).u32(body.length).raw(body).finish();
      const signed = new ByteWriter().text(binding.cluster).binary(binding.address).raw(framed).finish();
      return concatBytes([framed, key.mac(signed)]);
    };
    expect(refused(sign(Uint8Array.of(9, 9))).message).toContain('cannot be read');
    expect(refused(sign(new ByteWriter().varint(0).varint(0).u32(0).u32(0).text('no such name!').finish())).message).toContain(
      'node name',
    );
    expect(refused(sign(new ByteWriter().varint(0).varint(0).u32(0).u32(0).varint(0).u8(7).finish())).message).toContain(
      'after the end',
    );
    const crowd = new ByteWriter().varint(MAX_CONTEXT_ENTRIES + 1);
    for (let i = 0; i <= MAX_CONTEXT_ENTRIES; i++) crowd.rawHex(i.toString(16).padStart(16, '0')).varint(1);
    expect(refused(sign(crowd.u32(0).u32(0).varint(0).finish())).message).toContain('actors');
  });

  it('the greatest clock allowed fits the greatest size; of a greater one a part is named', () => {
    const random = seededRandom('entries');
    const many = Array.from({ length: MAX_CONTEXT_ENTRIES }, () => ({
      actor: mintActorId(random),
      counter: Number.MAX_SAFE_INTEGER,
    }));
    const full = { ...contents, clock: versionVector(many), fastest: 'x'.repeat(64) as NodeId };
    const bytes = sealContext(full, key, binding);
    expect(bytes.length).toBeLessThanOrEqual(MAX_CONTEXT_BYTES);
    expect(openContext(bytes, key, binding)).toEqual({ ok: true, value: full });
    const over = { ...full, clock: versionVector([...many, { actor: 'f'.repeat(16) as ActorId, counter: 1 }]) };
    const opened = unwrap(openContext(sealContext(over, key, binding), key, binding));
    expect(opened.clock).toHaveLength(MAX_CONTEXT_ENTRIES);
    expect(descends(over.clock, opened.clock)).toBe(true);
  });

  it('text that is no context is refused', () => {
    for (const text of ['*', 'ä', 'a'.repeat(MAX_CONTEXT_BYTES * 2 + 1)]) {
      expect(contextFromText(text)).toMatchObject({ ok: false, error: { code: 'invalid-context' } });
    }
  });
});

describe('context keys', () => {
  it('are a function of secret and cluster, the same in every process', () => {
    const message = Uint8Array.of(1, 2, 3);
    expect(toHex(deriveContextKey('a secret of the cluster', cluster).mac(message))).toBe(toHex(key.mac(message)));
    expect(toHex(deriveContextKey(Buffer.from('a secret of the cluster'), cluster).mac(message))).toBe(toHex(key.mac(message)));
    expect(key.mac(message)).toHaveLength(16);
  });

  it('show nothing when logged', () => {
    expect(inspect(key, { depth: 9, showHidden: true })).not.toMatch(/Buffer|Uint8Array/);
    expect(JSON.stringify(key)).toBe('{}');
  });

  it('an empty secret is a bug', () => {
    expect(() => deriveContextKey('', cluster)).toThrow(AssertionError);
  });
});
