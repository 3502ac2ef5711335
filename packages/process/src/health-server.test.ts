import type { ArmatureError } from '@armature/kernel';
import { afterEach, expect, test } from 'vitest';
import { startHealthServer, type HealthServer, type Readiness } from './health-server.js';
import { serviceMetrics } from './service-metrics.js';

const open: HealthServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function start(readiness: () => Readiness, port = 0, tokens?: readonly string[]): Promise<HealthServer> {
  const metrics = serviceMetrics({ cluster: 'c', role: 'node', name: 'n1' });
  metrics.telemetry.counter('armature_test_total', 'Counts.').add(3);
  const server = await startHealthServer({ host: '127.0.0.1', port, readiness, metrics, tokens });
  open.push(server);
  return server;
}

test('alive from the start; ready when it says so, and 503 with the reasons while it does not', async () => {
  let readiness: Readiness = { ready: false, notes: ['starting'] };
  const { url, port } = await start(() => readiness);
  expect(url).toBe(`http://127.0.0.1:${port}`);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  const early = await fetch(`${url}/readyz`);
  expect([early.status, await early.json()]).toEqual([503, { ready: false, notes: ['starting'] }]);
  readiness = { ready: true, notes: [] };
  const later = await fetch(`${url}/readyz`);
  expect([later.status, await later.json()]).toEqual([200, { ready: true, notes: [] }]);
  expect((await fetch(`${url}/other`)).status).toBe(404);
});

test('metrics: ours and those of Node, labelled with who this is', async () => {
  const { url } = await start(() => ({ ready: true, notes: [] }));
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain');
  const page = await response.text();
  expect(page).toMatch(/^armature_test_total\{cluster="c",role="node",name="n1"\} 3$/m);
  expect(page).toContain('nodejs_eventloop_lag_seconds');
});

test('with a token: metrics and reasons for those who bear it, readiness for everybody', async () => {
  const [former, present] = ['the-former-token-16', 'the-present-token-16'];
  const { url } = await start(() => ({ ready: false, notes: ['n2 is down'] }), 0, [present, former]);
  const get = (path: string, authorization?: string): Promise<Response> =>
    fetch(`${url}${path}`, authorization === undefined ? {} : { headers: { authorization } });
  for (const wrong of [
    undefined,
    '',
    'Bearer',
    `Bearer ${present}x`,
    `Bearer ${present.slice(0, -1)}`,
    `Basic ${present}`,
    present,
  ]) {
    const metrics = await get('/metrics', wrong);
    expect([wrong, metrics.status, metrics.headers.get('www-authenticate')]).toEqual([wrong, 401, 'Bearer']);
    expect(await metrics.text()).not.toMatch(/armature|token-16/);
    const ready = await get('/readyz', wrong);
    expect([ready.status, await ready.json()]).toEqual([503, { ready: false }]);
  }
  for (const right of [`Bearer ${present}`, `bearer ${former}`]) {
    expect((await get('/metrics', right)).status).toBe(200);
    expect(await (await get('/readyz', right)).json()).toEqual({ ready: false, notes: ['n2 is down'] });
  }
  expect((await get('/livez')).status).toBe(200);
});

test('a port in use: refused, naming port and flag', async () => {
  const { port } = await start(() => ({ ready: true, notes: [] }));
  const error = await start(() => ({ ready: true, notes: [] }), port).catch((thrown: unknown) => thrown as ArmatureError);
  expect(error).toMatchObject({ code: 'invalid-config', message: `port ${port} on 127.0.0.1 is in use` });
  expect((error as ArmatureError).remedy).toContain('--http-port');
});

test('closing ends connections that are kept alive', async () => {
  const server = await start(() => ({ ready: true, notes: [] }));
  await (await fetch(`${server.url}/livez`, { headers: { connection: 'keep-alive' } })).text();
  await server.close();
  await expect(fetch(`${server.url}/livez`)).rejects.toThrow();
});
