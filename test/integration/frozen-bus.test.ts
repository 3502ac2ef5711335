import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProcessCluster } from '@armature/tools/process-cluster';

let cluster: ProcessCluster;

beforeAll(async () => {
  cluster = await ProcessCluster.start();
});
afterAll(async () => {
  cluster.resumeNats();
  await cluster.stop();
});

async function actors(): Promise<Map<string, string | undefined>> {
  const client = await cluster.connect();
  const members = await client.admin.members();
  await client.close();
  return new Map(members.map(({ node, status }) => [node, status?.actor]));
}

test('a nats-server that stands still: SIGTERM ends nodes and routers in good order, and the stores are closed cleanly', async () => {
  const client = await cluster.connect();
  for (let i = 0; i < 50; i++) await client.bucket('default').put(`k${i}`, `v${i}`);
  await client.close();
  const before = await actors();
  cluster.pauseNats();
  const names = ['n1', 'n2', 'n3', 'r1'];
  const ended = await Promise.all(names.map((name) => cluster.terminate(name)));
  expect(ended).toEqual(names.map(() => 'exit code 0'));
  cluster.resumeNats();
  for (const name of names) await cluster.launch(name === 'r1' ? 'router' : 'node', name);
  for (const name of names) await cluster.untilReady(name);
  // A store that was not closed cleanly would have cost its node the actor.
  expect(await actors()).toEqual(before);
  const again = await cluster.connect();
  for (let i = 0; i < 50; i++) expect((await again.bucket('default').get(`k${i}`))?.value).toBe(`v${i}`);
  await again.close();
});
