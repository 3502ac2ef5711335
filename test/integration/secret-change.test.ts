/**
 * The secret of a cluster is changed while it serves: every process gets the new one beside the former one, then to seal with, and then alone. Nothing is refused on
 * the way that was given out in the step before.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toArmatureError } from '@armature/kernel';
import type { Client } from '@armature/client';
import { ProcessCluster } from '@armature/tools/process-cluster';

const MEMBERS = ['n1', 'n2', 'n3', 'r1', 'r2', 'a1'];

let cluster: ProcessCluster;
let client: Client;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ routers: ['r1', 'r2'], workers: ['a1'] });
  client = await cluster.connect({ routing: 'router' });
});
afterAll(async () => {
  await client.close();
  await cluster.stop();
});

/** Writes one key again and again, each time with the context of the read before, until told to stop; resolves with the codes of what failed. */
function writeAlways(key: string): () => Promise<{ readonly written: number; readonly failed: readonly string[] }> {
  const bucket = client.bucket('default');
  const failed: string[] = [];
  let written = 0;
  let isOver = false;
  const done = (async () => {
    while (!isOver) {
      try {
        const read = await bucket.read(key);
        await bucket.put(key, String(written), { context: read.context });
        written++;
      } catch (thrown) {
        const { code, message } = toArmatureError(thrown);
        failed.push(`${code}: ${message}`);
      }
    }
  })();
  return async () => {
    isOver = true;
    await done;
    return { written, failed };
  };
}

async function restartAllWith(...secrets: string[]): Promise<void> {
  writeFileSync(cluster.secretFile, `${secrets.join('\n')}\n`, { mode: 0o600 });
  for (const name of MEMBERS) {
    expect(await cluster.terminate(name), name).toBe('exit code 0');
    await cluster.restart(name);
  }
}

test(
  'every process at a time, in three steps: no context, no frame and no process is refused',
  { timeout: 240_000 },
  async () => {
    const after = randomBytes(32).toString('hex');
    const bucket = client.bucket('default');
    const stop = writeAlways('k');
    const steps = [[cluster.secret, after], [after, cluster.secret], [after]];
    for (const [i, secrets] of steps.entries()) {
      const key = `step-${i}`;
      await bucket.put(key, 'of the step before');
      const before = await bucket.read(key);
      await restartAllWith(...secrets);
      // The context of a step is of use all through the next one, but for the last, which drops the secret that has not sealed since.
      await bucket.put(key, 'of this step', { context: before.context });
      expect((await bucket.get(key))?.values).toEqual(['of this step']);
    }
    const { written, failed } = await stop();
    expect(failed.filter((one) => /^(invalid-context|wrong-cluster|unauthenticated)/.test(one))).toEqual([]);
    expect(written).toBeGreaterThan(100);
    for (const [name, log] of await Promise.all(MEMBERS.map(async (name) => [name, await cluster.metrics(name)] as const)))
      expect([name, /armature_link_refused_frames_total\{[^}]*\} (\d+)/.exec(log)?.[1] ?? '0']).toEqual([name, '0']);
    const direct = await cluster.connect({ routing: 'direct', secret: after });
    expect((await direct.bucket('default').get('k'))?.values).toHaveLength(1);
    await direct.close();
  },
);
