import { ArmatureError } from '@armature/kernel';
import { ManualClock, sleep } from '@armature/runtime';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyLocks } from './key-locks.js';

describe('key locks', () => {
  test('work that need not wait runs at once and gives a plain value, whatever other keys do', () => {
    const locks = new KeyLocks();
    void locks.run('other', () => new Promise(() => undefined));
    expect(locks.run('key', () => 7)).toBe(7);
    expect(locks.size).toBe(1);
  });

  test('what it throws at once is thrown, and holds nothing up', () => {
    const locks = new KeyLocks();
    expect(() =>
      locks.run('key', () => {
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(locks.size).toBe(0);
    expect(locks.run('key', () => 1)).toBe(1);
  });

  test('work on one key never overlaps and goes in order of arrival; other keys do not wait; failures pass the key on', async () => {
    const job = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      takesMs: fc.constantFrom(0, 1, 2, 5),
      arrivesMs: fc.nat(8),
      fails: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(job, { maxLength: 30 }), async (jobs) => {
        const clock = new ManualClock(0);
        const locks = new KeyLocks();
        const inside = new Set<string>();
        const started: number[] = [];
        const ended: (number | string)[] = [];
        const arrivals = jobs.map((one, id) => ({ ...one, id })).sort((a, b) => a.arrivesMs - b.arrivesMs);
        for (const { key, takesMs, arrivesMs, fails, id } of arrivals) {
          clock.after(arrivesMs, () => {
            const work = async (): Promise<number> => {
              if (inside.has(key)) throw new Error('overlap');
              inside.add(key);
              started.push(id);
              await sleep(clock, takesMs);
              inside.delete(key);
              if (fails) throw new Error('failed');
              return id;
            };
            (locks.run(key, work) as Promise<number>).then(
              (done) => ended.push(done),
              (thrown: unknown) => ended.push((thrown as Error).message),
            );
          });
        }
        await clock.advance(400);
        expect(ended).toHaveLength(jobs.length);
        expect(ended).not.toContain('overlap');
        expect(ended.filter((one) => one === 'failed')).toHaveLength(jobs.filter(({ fails }) => fails).length);
        for (const key of ['a', 'b', 'c']) {
          const order = arrivals.filter((one) => one.key === key).map(({ id }) => id);
          expect(started.filter((id) => jobs[id]?.key === key)).toEqual(order);
        }
        expect(locks.size, 'nothing is left behind').toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  test('a thousand waiters are the limit: one more is overloaded, with a hint when to come back', async () => {
    const locks = new KeyLocks();
    let release = (): void => undefined;
    const first = locks.run('key', () => new Promise<void>((resolve) => (release = resolve)));
    const waiters = Array.from({ length: 1_023 }, (_, i) => Promise.resolve(locks.run('key', () => i)));
    try {
      void locks.run('key', () => 0);
      expect.unreachable('the queue is full');
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(ArmatureError);
      expect(thrown).toMatchObject({ code: 'overloaded', details: { retryAfterMs: expect.any(Number) as number } });
    }
    release();
    await first;
    expect(await Promise.all(waiters)).toEqual(Array.from({ length: 1_023 }, (_, i) => i));
    expect(locks.run('key', () => 'free again')).toBe('free again');
  });
});
