import type { Client } from '@armature/client';
import { ArmatureError, utf8Encode, type ErrorCode } from '@armature/kernel';
import { ManualClock, systemRandom } from '@armature/runtime';
import { startLocalCluster } from '@armature/server';
import { expect, test } from 'vitest';
import { RecordWriter } from './write-record.js';

interface Seen {
  readonly step: 'read' | 'put';
  readonly operation: string | undefined;
}

/** A client whose steps fail as told, and otherwise do what the real one does. */
function unreliable(client: Client, failures: (ErrorCode | undefined)[], seen: Seen[]): Pick<Client, 'bucket'> {
  return {
    bucket: ((name: string, options: Parameters<Client['bucket']>[1]) => {
      const real = client.bucket(name, options as never);
      const step = async <T>(kind: Seen['step'], operation: string | undefined, run: () => Promise<T>): Promise<T> => {
        seen.push({ step: kind, operation });
        const failure = failures.shift();
        const result = await run(); // it happened, only the answer was lost
        if (failure !== undefined) throw new ArmatureError(failure, 'made to fail');
        return result;
      };
      return {
        outline: (key: string) => step('read', undefined, () => real.outline(key)),
        put: (key: string, value: string, put: { operation: string }) =>
          step('put', put.operation, () => real.put(key, value, put)),
      };
    }) as never,
  };
}

async function write(
  failures: (ErrorCode | undefined)[],
  retries: number,
): Promise<{ seen: Seen[]; siblings: number; error: unknown }> {
  const cluster = await startLocalCluster();
  try {
    const seen: Seen[] = [];
    const clock = new ManualClock();
    const env = { client: unreliable(cluster.client, failures, seen), clock, random: systemRandom() };
    const writer = new RecordWriter(env, { bucket: 'default', timeoutMs: 5_000, blind: false, retries });
    let error: unknown;
    let isDone = false;
    const writing = writer.write({ key: utf8Encode('k'), values: [{ bytes: utf8Encode('v'), meta: {} }] }).then(
      () => (isDone = true),
      (thrown: unknown) => {
        error = thrown;
        isDone = true;
      },
    );
    while (!isDone) {
      await clock.advance(60_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
    const entry = await cluster.client.bucket('default').get('k');
    return { seen, siblings: entry?.siblings.length ?? 0, error };
  } finally {
    await cluster.stop();
  }
}

test('a write whose answer was lost is repeated under its operation id, and counts once', async () => {
  const { seen, siblings, error } = await write([undefined, 'unknown-outcome', 'timeout', undefined], 3);
  expect(error).toBeUndefined();
  expect(seen.map(({ step }) => step)).toEqual(['read', 'put', 'put', 'put']);
  expect(new Set(seen.slice(1).map(({ operation }) => operation)).size).toBe(1);
  expect(siblings).toBe(1);
});

test('repetitions are bounded, and what cannot pass is not repeated', async () => {
  const bounded = await write(['unavailable', 'unavailable', 'unavailable'], 2);
  expect([bounded.seen.length, bounded.error]).toMatchObject([3, { code: 'unavailable' }]);
  const final = await write([undefined, 'too-large'], 2);
  expect([final.seen.length, final.error]).toMatchObject([2, { code: 'too-large' }]);
});
