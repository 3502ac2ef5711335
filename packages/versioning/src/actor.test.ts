import { seededRandom } from '@armature/kernel';
import { describe, expect, it } from 'vitest';
import { compareActors, compareDots, mintActorId, parseActorId, type ActorId } from './actor.js';

describe('actors', () => {
  it('minted from one stream: distinct, well-formed, reproducible', () => {
    const random = seededRandom('actors');
    const minted = Array.from({ length: 1000 }, () => mintActorId(random));
    expect(new Set(minted).size).toBe(1000);
    expect(minted.every((actor) => parseActorId(actor).ok)).toBe(true);
    expect(mintActorId(seededRandom('actors'))).toBe(minted[0]);
  });

  it.each(['', 'abc', '0123456789ABCDEF', '0123456789abcdeg', '0123456789abcdef0', ' 123456789abcdef'])(
    '%j is refused with a remedy',
    (text) => {
      const parsed = parseActorId(text);
      expect(parsed.ok).toBe(false);
      if (!parsed.ok)
        expect([parsed.error.code, parsed.error.remedy]).toEqual([
          'invalid-argument',
          expect.stringContaining('16 lower-case hex'),
        ]);
    },
  );

  it('dots are ordered by actor, then counter', () => {
    const [a, b] = ['0000000000000009', '000000000000000a'] as [ActorId, ActorId];
    expect([compareActors(a, b), compareActors(b, a), compareActors(a, a)].map(Math.sign)).toEqual([-1, 1, 0]);
    const dots = [
      { actor: b, counter: 1 },
      { actor: a, counter: 10 },
      { actor: a, counter: 9 },
    ];
    expect(dots.toSorted(compareDots).map(({ actor, counter }) => `${actor.at(-1)}${counter}`)).toEqual(['99', '910', 'a1']);
  });
});
