import { expect, test } from 'vitest';
import { seededRandom, unwrap, type BinaryString, type BucketName, type ClusterName, type Hlc } from '@armature/kernel';
import { ReadContext } from '@armature/client';
import { deriveContextKey, openContext, sealContext, versionVector, type ActorId, type ContextKey } from '@armature/versioning';
import { Forger, type ForgeryKind } from './forgery.js';

const BUCKET = 'b' as BucketName;
const ACTOR = '00112233aabbccdd' as ActorId;
const CLOCK = versionVector([{ actor: ACTOR, counter: 7 }]);
const bindingOf = (key: string) => ({ cluster: 'c' as ClusterName, address: key as BinaryString });
const sealedFor = (key: string, by: ContextKey): ReadContext =>
  ReadContext.fromBytes(sealContext({ clock: CLOCK, at: 1 as Hlc, fastest: undefined }, by, bindingOf(key)));

/** Forgeries of the context of `mine`, by a forger that knows that of `other` as well. */
function forgeries(by: ContextKey): { kind: ForgeryKind; bytes: Uint8Array }[] {
  const forger = new Forger();
  const honest = sealedFor('mine', by);
  forger.note(BUCKET, 'mine', honest);
  forger.note(BUCKET, 'other', sealedFor('other', by));
  const random = seededRandom(1);
  return Array.from({ length: 200 }, () => forger.forge(random, BUCKET, 'mine', honest)).flatMap((forgery) =>
    forgery === undefined ? [] : [{ kind: forgery.kind, bytes: forgery.context.toBytes() }],
  );
}

test('no forgery of any kind is an authentic context of the key, and none is an empty one', () => {
  const key = deriveContextKey('a secret of some length', 'c' as ClusterName);
  const made = forgeries(key);
  expect(new Set(made.map(({ kind }) => kind)).size).toBe(4);
  for (const { bytes } of made) {
    expect(bytes.length).toBeGreaterThan(0);
    expect(openContext(bytes, key, bindingOf('mine'))).toMatchObject({ ok: false, error: { code: 'invalid-context' } });
  }
});

test('raised and foreign ones are well formed: but for authentication they would be opened, and cover more', () => {
  const anybody: ContextKey = { mac: () => new Uint8Array(16) };
  const made = forgeries(anybody).filter(({ kind }) => kind === 'raised' || kind === 'foreign');
  expect(made.length).toBeGreaterThan(50);
  for (const { kind, bytes } of made) {
    const [entry] = unwrap(openContext(bytes, anybody, bindingOf('mine'))).clock;
    expect(entry?.actor).toBe(ACTOR);
    if (kind === 'raised') expect(entry?.counter).toBeGreaterThan(7);
  }
});

test('of an empty context, which is that of a blind write, nothing is made', () => {
  expect(new Forger().forge(seededRandom(1), BUCKET, 'mine', ReadContext.fromBytes(new Uint8Array(0)))).toBeUndefined();
});
