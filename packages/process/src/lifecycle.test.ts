import { ArmatureError } from '@armature/kernel';
import { ManualClock, recordingLog } from '@armature/runtime';
import { expect, test } from 'vitest';
import { Lifecycle, type ProcessPort } from './lifecycle.js';

function rig(drainMs = 5_000) {
  const listeners = new Map<string, (subject: unknown) => void>();
  const exits: number[] = [];
  const process: ProcessPort = { on: (event, listener) => listeners.set(event, listener), exit: (code) => void exits.push(code) };
  const clock = new ManualClock();
  const { log, entries } = recordingLog();
  const failures: ArmatureError[] = [];
  const lifecycle = new Lifecycle({ process, clock, log, drainMs, onStartFailure: (error) => failures.push(error) });
  const stopped: string[] = [];
  const part = (name: string) => lifecycle.add(name, async () => void stopped.push(name));
  const emit = (event: string, subject?: unknown) => listeners.get(event)?.(subject);
  return { lifecycle, clock, exits, entries, failures, stopped, part, emit };
}

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'])('%s: parts stop in the opposite order, then exit 0', async (signal) => {
  const r = rig();
  await r.lifecycle.run(async () => {
    r.part('http');
    r.part('bus');
    r.part('node');
  });
  r.emit(signal);
  expect(r.lifecycle.stopping).toBe(true);
  await r.clock.advance(0);
  expect(r.stopped).toEqual(['node', 'bus', 'http']);
  expect(r.exits).toEqual([0]);
});

test.each(['SIGUSR1', 'SIGUSR2'])('%s: neither ends the process nor opens a debugger, and is logged', async (signal) => {
  const r = rig();
  await r.lifecycle.run(async () => r.part('node'));
  r.emit(signal);
  await r.clock.advance(0);
  expect(r.lifecycle.stopping).toBe(false);
  expect(r.exits).toEqual([]);
  expect(r.entries.at(-1)).toMatchObject({ level: 'warn', fields: { signal } });
});

test('a part that does not stop in time: exit 1 at the bound, not later', async () => {
  const r = rig(5_000);
  await r.lifecycle.run(async () => r.lifecycle.add('stuck', () => new Promise(() => undefined)));
  r.emit('SIGINT');
  await r.clock.advance(4_999);
  expect(r.exits).toEqual([]);
  await r.clock.advance(1);
  expect(r.exits).toEqual([1]);
});

test('a part that fails to stop: the others stop all the same, exit 1', async () => {
  const r = rig();
  await r.lifecycle.run(async () => {
    r.part('http');
    r.lifecycle.add('bad', () => Promise.reject(new Error('broken')));
  });
  r.emit('SIGTERM');
  await r.clock.advance(0);
  expect(r.stopped).toEqual(['http']);
  expect(r.exits).toEqual([1]);
});

test('the same Ctrl-C delivered twice is one; a later one ends at once', async () => {
  const r = rig();
  await r.lifecycle.run(async () => r.lifecycle.add('stuck', () => new Promise(() => undefined)));
  r.emit('SIGINT');
  r.emit('SIGINT');
  await r.clock.advance(1_000);
  r.emit('SIGINT');
  expect(r.exits).toEqual([]);
  await r.clock.advance(1);
  r.emit('SIGINT');
  expect(r.exits).toEqual([1]);
});

test('a start that fails: told, what had started is stopped, exit by the code of the error', async () => {
  const r = rig();
  await r.lifecycle.run(async () => {
    r.part('http');
    throw new ArmatureError('bus-unavailable', 'no bus');
  });
  await r.clock.advance(0);
  expect(r.failures.map(({ code }) => code)).toEqual(['bus-unavailable']);
  expect(r.stopped).toEqual(['http']);
  expect(r.exits).toEqual([3]);
});

test('a signal during the start: what comes up is stopped too', async () => {
  const r = rig();
  let finish: () => void = () => undefined;
  const running = r.lifecycle.run(async () => {
    r.part('http');
    await new Promise<void>((resolve) => (finish = resolve));
    r.part('node');
  });
  r.emit('SIGTERM');
  await r.clock.advance(10);
  expect(r.stopped).toEqual([]);
  finish();
  await running;
  await r.clock.advance(0);
  expect(r.stopped).toEqual(['node', 'http']);
  expect(r.exits).toEqual([0]);
});

test('an uncaught error: logged as fatal, exit 1, nothing is stopped in good order', async () => {
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    const r = rig();
    await r.lifecycle.run(async () => r.part('node'));
    r.emit(event, new TypeError('oops'));
    expect(r.exits).toEqual([1]);
    expect(r.stopped).toEqual([]);
    expect(r.entries.at(-1)).toMatchObject({
      level: 'error',
      fields: { fatal: true, err: { code: 'internal', message: 'oops' } },
    });
  }
});
