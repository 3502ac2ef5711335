import { ArmatureError } from '@armature/kernel';
import type { CommandRecord } from '@armature/protocol';
import { memoryEngine, Store } from '@armature/storage';
import { noTelemetry, recordingLog, silentLog, systemClock } from '@armature/runtime';
import { describe, expect, test } from 'vitest';
import { CommandLog, withCommand } from './command-log.js';
import { commandStoreOn } from './node-storage.js';

const MINUTE_MS = 60_000;

function command(id: number, minutes: number, given: Partial<CommandRecord> = {}): CommandRecord {
  const atMs = 1_700_000_000_000 + minutes * MINUTE_MS;
  return {
    ...{ id: id.toString(16).padStart(16, '0'), firstMs: atMs, lastMs: atMs, count: 1 },
    ...{ at: 'node.n1', author: 'olga', command: 'repair', outcome: 'done' },
    ...given,
  };
}

const all = (commands: readonly CommandRecord[], limit?: number): readonly CommandRecord[] =>
  commands.reduce<readonly CommandRecord[]>((kept, one) => withCommand(kept, one, limit).commands, []);

describe('what is kept of commands', () => {
  test('one that is given again within ten minutes is counted with the first; after that it is another', () => {
    expect(all([command(1, 0), command(2, 9), command(3, 18), command(4, 29)])).toEqual([
      { ...command(1, 0), lastMs: command(3, 18).lastMs, count: 3 },
      command(4, 29),
    ]);
  });

  test('other people, other commands, other outcomes and other processes are counted apart', () => {
    const others = [{ author: 'omar' }, { command: 'reap' }, { outcome: 'forbidden' }, { at: 'router.r1' }] as const;
    const given = [command(1, 0), ...others.map((other, i) => command(2 + i, 0, other))];
    expect(all([...given, ...given]).map(({ count }) => count)).toEqual([2, 2, 2, 2, 2]);
  });

  test('beyond the limit the oldest go, and whoever asks for one thing over and over again pushes out nobody', () => {
    const given = [1, 2, 3, 4].map((id) => command(id, id, { author: `person ${id}` }));
    expect(all(given, 3)).toEqual(given.slice(1));
    const stubborn = Array.from({ length: 100 }, (_, i) => command(10 + i, 5, { outcome: 'forbidden' }));
    expect(all([...given.slice(0, 2), ...stubborn], 3).map(({ author, count }) => [author, count])).toEqual([
      ['person 1', 1],
      ['person 2', 1],
      ['olga', 100],
    ]);
  });
});

describe('the commands that a node keeps', () => {
  const storeOver = (engine: ReturnType<typeof memoryEngine>): Store =>
    new Store({ engine, clock: systemClock, log: silentLog, telemetry: noTelemetry });

  test('outlive the process, and what was dropped stays dropped', async () => {
    const engine = memoryEngine();
    const store = storeOver(engine);
    const log = await CommandLog.open(commandStoreOn(store, silentLog), silentLog);
    const given = Array.from({ length: 1_003 }, (_, i) => command(i, i, { author: `person ${i}` }));
    for (const one of given) await log.keep(one);
    await log.keep(command(2_000, 1_005, { author: 'person 1002' }));
    const again = await CommandLog.open(commandStoreOn(store, silentLog), silentLog);
    expect(again.commands).toEqual(log.commands);
    expect(again.commands).toHaveLength(1_000);
    expect(again.commands[0]).toEqual(given[3]);
    expect(again.commands.at(-1)?.count).toBe(2);
    await store.close();
  });

  test('given again and again they are written once a second, and at the end', async () => {
    const saved: number[] = [];
    const store = {
      load: () => Promise.resolve([]),
      save: ({ count }: CommandRecord) => Promise.resolve(void saved.push(count)),
    };
    const log = await CommandLog.open(store, silentLog);
    const [{ firstMs }] = [command(1, 0)];
    for (let i = 0; i < 250; i++) await log.keep(command(i, 0, { firstMs: firstMs + i * 10, lastMs: firstMs + i * 10 }));
    expect(saved).toEqual([1, 101, 201]);
    await log.close();
    await log.close();
    expect(saved).toEqual([1, 101, 201, 250]);
  });

  test('a store that fails keeps nobody from giving commands', async () => {
    const { log, entries } = recordingLog();
    const full = new ArmatureError('storage-full', 'no room');
    const commands = await CommandLog.open({ load: () => Promise.resolve([]), save: () => Promise.reject(full) }, log);
    await commands.keep(command(1, 0));
    expect(commands.commands).toEqual([command(1, 0)]);
    expect(entries.map(({ level }) => level)).toEqual(['warn']);
  });
});
