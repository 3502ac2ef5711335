/**
 * The secret of a cluster is changed while it serves: every process gets the new one beside the former one, then to seal with,
 * and then alone. Nothing is refused on the way that was given out in the step before.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { connect as connectNats, headers as natsHeaders, type NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseClusterName, toArmatureError, unwrap, utf8Encode } from '@armature/kernel';
import { deriveTokenKeys, parseGrant, sealToken, tokenToText } from '@armature/rights';
import type { Client } from '@armature/client';
import { ProcessCluster } from '@armature/tools/process-cluster';

const MEMBERS = ['n1', 'n2', 'n3', 'r1', 'r2', 'a1'];

let cluster: ProcessCluster;
let client: Client;
let nats: NatsConnection;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ routers: ['r1', 'r2'], workers: ['a1'] });
  client = await cluster.connect({ routing: 'router' });
  nats = await connectNats({ servers: cluster.natsUrl });
});
afterAll(async () => {
  await client.close();
  await nats.close();
  await cluster.stop();
});

/**
 * Writes one key again and again, each time with the context of the read before, until told to stop; resolves with the codes of
 * what failed.
 */
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

function tokenSealedWith(secret: string): string {
  const grants = [unwrap(parseGrant('default:read,write'))];
  const token = { subject: 'shop', grants, role: undefined, expiresAtMs: Date.now() + 3_600_000, generation: 0 };
  return tokenToText(unwrap(sealToken(token, deriveTokenKeys([utf8Encode(secret)], unwrap(parseClusterName(cluster.cluster))))));
}

/** What each router says to a request with this token: many are sent, and one goes to one of them. */
async function answersTo(token: string): Promise<ReadonlySet<string>> {
  const ask = async (): Promise<string> => {
    const headers = natsHeaders();
    headers.set('Armature-Token', token);
    const answer = await nats.request(`armature.${cluster.cluster}.api.put.default.token`, 'v', { timeout: 5_000, headers });
    const error = answer.headers?.get('Armature-Error') ?? '';
    return error === '' ? 'ok' : error;
  };
  return new Set(await Promise.all(Array.from({ length: 20 }, ask)));
}

async function restartAllWith(...secrets: string[]): Promise<void> {
  writeFileSync(cluster.secretFile, `${secrets.join('\n')}\n`, { mode: 0o600 });
  for (const name of MEMBERS) {
    expect(await cluster.terminate(name), name).toBe('exit code 0');
    await cluster.restart(name);
  }
}

test(
  'every process at a time, in three steps: no context, no token, no frame and no process is refused',
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
      const token = tokenSealedWith(steps[i - 1]?.[0] ?? cluster.secret);
      await restartAllWith(...secrets);
      // What was sealed in a step is of use all through the next one.
      expect(await answersTo(token)).toEqual(new Set(['ok']));
      await bucket.put(key, 'of this step', { context: before.context });
      expect((await bucket.get(key))?.values).toEqual(['of this step']);
    }
    expect(await answersTo(tokenSealedWith(cluster.secret))).toEqual(new Set(['unauthenticated']));
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
