/**
 * What really runs for an operation: a cluster of three nodes on LevelDB in this process, one operation after the other, and V8's
 * counts of calls. What was called as often as there were operations ran for each of them; what runs by a timer was not.
 *
 * The bus is the one in memory, so nothing of the NATS adapter runs here.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@armature/client';
import { startLocalCluster } from '@armature/server';
import { openLevelEngine } from '@armature/storage-level';

const OPERATIONS = 200;

/** By room (`client/bucket.ts`), the functions in it that ran for each operation. */
export type Entered = ReadonlyMap<string, ReadonlySet<string>>;

export async function enteredBy(operation: 'put' | 'get'): Promise<Entered> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  // Before anything is compiled: calls that the compiler has drawn into their callers are not counted.
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  const directory = await mkdtemp(join(tmpdir(), 'armature-rooms-'));
  const cluster = await startLocalCluster({
    cluster: 'rooms',
    openEngine: (node) => openLevelEngine({ directory: join(directory, node), identity: { cluster: 'rooms', node } }),
  });
  try {
    const bucket = cluster.client.bucket('default', { codec: utf8 });
    // No key that is read was ever written: no cache has it, and the engine is asked each time. Nothing is decoded, though.
    const run = (key: string): Promise<unknown> => (operation === 'put' ? bucket.put(key, 'v') : bucket.get(key));
    await run('first');
    await session.post('Profiler.takePreciseCoverage'); // counts begin anew
    for (let index = 0; index < OPERATIONS; index++) await run(`k${index}`);
    const { result } = await session.post('Profiler.takePreciseCoverage');
    return new Map(result.flatMap(({ url, functions }) => enteredIn(url, functions)));
  } finally {
    await session.post('Profiler.stopPreciseCoverage');
    session.disconnect();
    await cluster.stop();
    await rm(directory, { recursive: true });
  }
}

interface CountedFunction {
  readonly functionName: string;
  readonly ranges: readonly { readonly count: number }[];
}

function enteredIn(url: string, functions: readonly CountedFunction[]): [string, ReadonlySet<string>][] {
  const [, name, file] = /\/packages\/([^/]+)\/(?:src|dist)\/([^?]+)\.[jt]s/.exec(url) ?? [];
  const often = functions.filter(({ ranges }) => (ranges[0]?.count ?? 0) >= OPERATIONS).map(({ functionName }) => functionName);
  return name === undefined || file === undefined || often.length === 0 ? [] : [[`${name}/${file}.ts`, new Set(often)]];
}
