import { seededRandom } from '@armature/kernel';
import { describe, expect, test } from 'vitest';
import { Fuzzer, tryOnce, type Failure } from './fuzzer.js';
import { MAX_INPUT_BYTES, mutated } from './mutate.js';
import { shrunk } from './shrink.js';
import { holds, type Target } from './target.js';
import { checkUsage } from './usage.js';

/** A decoder of a length and so many bytes, with a bug that `run` has. */
function target(run: Target['run'], more: Partial<Target> = {}): Target {
  return { name: 'sample', what: 'a sample', covers: [], seeds: () => [Uint8Array.of(2, 7, 7)], dense: () => [], run, ...more };
}

const refused = (input: Uint8Array): string => ((input[0] ?? 0) > input.length - 1 ? 'truncated' : 'whole');

describe('fuzzer', () => {
  test('finds an input that breaks a property, and the same one from the same seed', async () => {
    const sample = target((input) => {
      holds((input[0] ?? 0) < 0x80, 'a length below 128');
      return refused(input);
    });
    const find = async (): Promise<Failure | undefined> => new Fuzzer(sample, 1).run(10_000, () => undefined);
    const found = await find();
    expect(found?.problem).toContain('a length below 128');
    expect(found?.input[0]).toBeGreaterThanOrEqual(0x80);
    expect((await find())?.input).toEqual(found?.input);
  });

  test('what is thrown and what is rejected with are failures alike, whatever it is', async () => {
    const thrown = await tryOnce(target(() => { throw new RangeError('out of range'); }), Uint8Array.of(1)); // prettier-ignore
    const rejected = await tryOnce(
      target(() => Promise.reject(new TypeError('of no type'))),
      Uint8Array.of(1),
    );
    expect(thrown).toMatchObject({ problem: expect.stringContaining('out of range') as string });
    expect(rejected).toMatchObject({ problem: expect.stringContaining('of no type') as string });
  });

  test('inputs that end in a new way join the pool: what takes three steps is found one after the other', async () => {
    const steps = target((input) => {
      let steps = 0;
      while (steps < 3 && input[steps] === [0x11, 0x9d, 0x5e][steps]) steps++;
      holds(steps < 3, 'three steps');
      return ['none', 'one', 'two'][steps] as string;
    });
    const fuzzer = new Fuzzer(steps, 3);
    expect(await fuzzer.run(200_000, () => undefined)).toMatchObject({
      problem: expect.stringContaining('three steps') as string,
    });
    expect(fuzzer.outcomes).toBe(3);
  });

  test('whoever is handed the input knows it before it is tried', async () => {
    let handed: Uint8Array | undefined;
    const sample = target((input) => {
      expect(handed).toBe(input);
      return 'seen';
    });
    await new Fuzzer(sample, 1).run(50, (input) => (handed = input));
  });
});

describe('mutations', () => {
  test('no input is longer than the bound, and each change is tried', () => {
    const random = seededRandom(63_001);
    const pool = [Uint8Array.from({ length: 300 }, (_, i) => i), new Uint8Array(MAX_INPUT_BYTES)];
    const inputs = Array.from({ length: 3_000 }, () => mutated(random, pool, [Buffer.from('a word')]));
    expect(Math.max(...inputs.map(({ length }) => length))).toBe(MAX_INPUT_BYTES);
    expect(inputs.some((input) => Buffer.from(input).includes('a word'))).toBe(true);
    expect(inputs.some(({ length }) => length === 0)).toBe(true);
  });
});

describe('shrinking', () => {
  test('leaves of a failing input what it fails by', async () => {
    const sample = target((input) => {
      holds(!Buffer.from(input).includes('bug'), `a bug in ${input.length} bytes`);
      return 'fine';
    });
    const failure = (await tryOnce(sample, Buffer.from('long before it, a bug, and long after it'))) as Failure;
    expect(Buffer.from((await shrunk(sample, failure)).input).toString()).toBe('bug');
  });
});

describe('usage', () => {
  test('memory by what a length says, and not by what was sent, is a finding', async () => {
    const kept: unknown[] = [];
    const greedy = target(
      (input) => {
        kept.push(new Array(input.length * 100).fill(0));
        return 'taken';
      },
      { dense: () => [new Uint8Array(65_536)] },
    );
    await expect(checkUsage(greedy, () => undefined)).rejects.toThrow(/bytes allocated for an input of 65536/);
  });

  test('some bytes for each byte are none', async () => {
    const modest = target((input) => Buffer.from(input).toString('hex').slice(0, 1), { dense: () => [new Uint8Array(65_536)] });
    await expect(checkUsage(modest, () => undefined)).resolves.toBeUndefined();
  });
});
