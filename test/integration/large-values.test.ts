/**
 * Many large values at once, on real processes: they take turns in bytes, and answers wait where they are not read yet. What is
 * not done in its time is refused, and others do not notice: small operations beside them succeed, and no node takes another for
 * failed.
 */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { bytes, type Client } from '@armature/client';
import { toArmatureError } from '@armature/kernel';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { connect, headers as newHeaders } from 'nats';

const NODES = ['n1', 'n2', 'n3'];
const MIB = 1024 * 1024;
/** What may become of a large operation: done, refused before anything was written, or begun and not confirmed in its time. */
const CLEAR = new Set(['ok', 'overloaded', 'timeout', 'unknown-outcome', 'partial-write']);
let cluster: ProcessCluster;
let busy: Client;
let other: Client;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ nodes: NODES, partitionCount: 16 });
  busy = await cluster.connect({ routing: 'direct' });
  other = await cluster.connect({ routing: 'direct' });
  await other.admin.setBucket('large', { maxValueBytes: 8 * MIB });
});
afterAll(async () => {
  await busy.close();
  await other.close();
  await cluster.stop();
});
afterEach(async () => {
  for (const name of NODES) await cluster.untilReady(name);
});

/** Puts and gets of small values until `work` is done; how many, and each with what became of it. */
async function beside(work: Promise<unknown>): Promise<Map<string, number>> {
  const small = other.bucket('default', { codec: bytes, timeoutMs: 20_000 });
  const outcomes = new Map<string, number>();
  let isOver = false;
  const over = work.finally(() => (isOver = true));
  for (let i = 0; !isOver || i < 10; i++) {
    const outcome = await small
      .put(`k${i % 20}`, new Uint8Array(100))
      .then(() => small.get(`k${i % 20}`))
      .then(outcomeOf, codeOf);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  await over;
  return outcomes;
}

const outcomeOf = (): string => 'ok';
const codeOf = (thrown: unknown): string => toArmatureError(thrown).code;

function suspicions(): string[] {
  return NODES.flatMap((name) => readFileSync(cluster.logFile(name), 'utf8').split('\n')).filter((line) =>
    line.includes('taken for failed'),
  );
}

test('five hundred gets of 900 KB at once: small operations go on, nobody is suspected, and no node holds what it cannot send yet', async () => {
  const bucket = busy.bucket('large', { codec: bytes, timeoutMs: 60_000 });
  for (let i = 0; i < 10; i++) await bucket.put(`read${i}`, new Uint8Array(900_000).fill(i), { w: 3 });
  const before = NODES.map((name) => residentMiB(cluster.pid(name)));
  const getting = Promise.all(
    Array.from({ length: 500 }, (_, i) => bucket.get(`read${i % 10}`, { timeoutMs: 30_000 }).then(outcomeOf, codeOf)),
  );
  const small = await beside(getting);
  expect([...small.keys()]).toEqual(['ok']);
  const outcomes = await getting;
  expect(outcomes.filter((outcome) => !CLEAR.has(outcome))).toEqual([]);
  expect(outcomes).toContain('ok');
  expect(suspicions()).toEqual([]);
  // All of them would be 429 MiB, twice that with the copies that are made for sending.
  for (const [place, name] of NODES.entries())
    expect(residentMiB(cluster.pid(name)) - (before[place] as number), name).toBeLessThan(200);
});

test('a hundred puts of 5 MiB at once: the same, and each ends with a clear word in its time', async () => {
  const bucket = busy.bucket('large', { codec: bytes });
  const value = new Uint8Array(5 * MIB);
  const putting = Promise.all(Array.from({ length: 100 }, (_, i) => bucket.put(`big${i}`, value).then(outcomeOf, codeOf)));
  const small = await beside(putting);
  expect([...small.keys()]).toEqual(['ok']);
  const outcomes = await putting;
  expect(outcomes.filter((outcome) => !CLEAR.has(outcome))).toEqual([]);
  expect(outcomes).toContain('ok');
  expect(suspicions()).toEqual([]);
});

test('five hundred gets of 900 KB at once at the front door of a router: it holds as many as are on their way, and the others have their turn', async () => {
  const guest = await cluster.connect({ routing: 'router' });
  const bucket = guest.bucket('large', { codec: bytes });
  const before = residentMiB(cluster.pid('r1'));
  const outcomes = await Promise.all(
    Array.from({ length: 500 }, (_, i) => bucket.get(`read${i % 10}`, { timeoutMs: 60_000 }).then(outcomeOf, codeOf)),
  );
  await guest.close();
  expect(outcomes.filter((outcome) => !CLEAR.has(outcome))).toEqual([]);
  expect(outcomes).toContain('ok');
  expect(residentMiB(cluster.pid('r1')) - before).toBeLessThan(300);
});

test('five hundred plain gets of 900 KB at once: the same', async () => {
  const before = residentMiB(cluster.pid('r1'));
  const outcomes = await plainGets(500);
  expect(outcomes.filter((outcome) => outcome !== 900_000 && outcome !== 'overloaded')).toEqual([]);
  expect(outcomes).toContain(900_000);
  expect(residentMiB(cluster.pid('r1')) - before).toBeLessThan(300);
});

/** What comes of so many plain requests at once: the bytes of the value, or an error. */
async function plainGets(count: number): Promise<(number | string)[]> {
  const connection = await connect({ servers: cluster.natsUrl });
  const subjects = Array.from({ length: count }, (_, i) => `armature.${cluster.cluster}.api.get.large.read${i % 10}`);
  const headers = newHeaders();
  headers.set('Armature-Timeout-Ms', '60000');
  const answers = await Promise.all(
    subjects.map((subject) => connection.request(subject, new Uint8Array(0), { timeout: 90_000, headers })),
  );
  await connection.close();
  return answers.map(({ headers: answered, data }) =>
    answered?.has('Armature-Error') === true ? answered.get('Armature-Error') : data.length,
  );
}

/** The largest that the process has been. */
function residentMiB(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
