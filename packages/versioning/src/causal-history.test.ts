import { seededRandom } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { playHistory } from './causal-history.test-support.js';

const HISTORIES = 100_000;

describe('version sets against a model of causal histories', () => {
  it('any history: siblings are the causal frontier, the last write is the maximum, nothing superseded is shown again, all orders converge (shrinkable)', () => {
    const entropy = fc.array(fc.nat({ max: 1023 }), { minLength: 1, maxLength: 90 });
    fc.assert(
      fc.property(entropy, (numbers) => {
        let next = 0;
        playHistory((bound) => (numbers[next++] ?? 0) % bound);
      }),
      { numRuns: 3000 },
    );
  });

  it(`${HISTORIES} seeded histories: the same, at volume`, () => {
    let events = 0;
    let conflicts = 0;
    let hidden = 0;
    for (let seed = 0; seed < HISTORIES; seed++) {
      try {
        const played = playHistory(seededRandom(seed).int);
        events += played.events;
        if (played.mostSiblings > 1) conflicts++;
        if (played.hidden > 0) hidden++;
      } catch (error) {
        throw new Error(`history of seed ${seed}`, { cause: error });
      }
    }
    // Not a claim about the code, but that the histories had something to disagree about.
    expect(events).toBeGreaterThan(HISTORIES * 2);
    expect(conflicts).toBeGreaterThan(HISTORIES / 4);
    expect(hidden).toBeGreaterThan(HISTORIES / 200);
  }, 300_000);
});
