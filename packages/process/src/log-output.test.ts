import { ManualClock } from '@armature/runtime';
import { expect, test } from 'vitest';
import { LogOutput } from './log-output.js';

/** A file or pipe with so much room; without room it fails with `code`. */
function rig(roomBytes = Infinity, code = 'ENOSPC') {
  const clock = new ManualClock();
  const sink = { text: '', room: roomBytes, code };
  const told: [number, string][] = [];
  const output: LogOutput = new LogOutput({
    clock,
    write(bytes) {
      if (sink.room === 0) throw Object.assign(new Error(sink.code), { code: sink.code });
      const taken = bytes.subarray(0, sink.room);
      sink.room -= taken.length;
      sink.text += Buffer.from(taken).toString();
      return taken.length;
    },
    onRecovered(lost, why) {
      told.push([lost, why]);
      output.write(`lost ${lost}\n`);
    },
  });
  return { clock, sink, told, output };
}

test('lines are written in the turn that makes them', () => {
  const { output, sink } = rig();
  output.write('one\n');
  output.write('two\n');
  expect(sink.text).toBe('one\ntwo\n');
});

test('a full disk: lines are lost, nothing is thrown, and when there is room again the log says how many', () => {
  const { output, sink, told } = rig(4);
  output.write('one\n');
  output.write('two\n');
  output.write('three\n');
  expect(output.lost).toBe(2);
  sink.room = Infinity;
  output.write('four\n');
  output.write('five\n');
  expect(sink.text).toBe('one\nfour\nlost 2\nfive\n');
  expect(told).toEqual([[2, 'ENOSPC']]);
});

test('a line that was cut off by a full disk does not run into the next one', () => {
  const { output, sink } = rig(6);
  output.write('one\n');
  output.write('two\n');
  sink.room = Infinity;
  output.write('three\n');
  expect(sink.text).toBe('one\ntw\nthree\nlost 1\n');
});

test('a reader that is gone: every line is lost, and nothing waits for a retry', () => {
  const { output, clock } = rig(0, 'EPIPE');
  for (let i = 0; i < 100; i++) output.write('line\n');
  expect(output.lost).toBe(100);
  expect(clock.pending).toBe(0);
});

test('a pipe that is full: lines wait in their order, and go on in the middle of one', async () => {
  const { output, sink, clock } = rig(6, 'EAGAIN');
  output.write('one\n');
  output.write('two\n');
  output.write('three\n');
  expect(sink.text).toBe('one\ntw');
  await clock.advance(1_000);
  sink.room = Infinity;
  await clock.advance(50);
  expect(sink.text).toBe('one\ntwo\nthree\n');
  expect(output.lost).toBe(0);
  expect(clock.pending).toBe(0);
});

test('a pipe that stays full: what waits is bounded, the rest is lost and counted', async () => {
  const { output, sink, clock } = rig(0, 'EAGAIN');
  const line = `${'x'.repeat(9_999)}\n`;
  for (let i = 0; i < 1_000; i++) output.write(line);
  const kept = 1_000 - output.lost;
  expect(kept * line.length).toBeLessThanOrEqual(1024 * 1024);
  expect(kept).toBeGreaterThan(100);
  sink.room = Infinity;
  await clock.advance(50);
  expect(sink.text.slice(-50)).toBe(`${line}lost ${1_000 - kept}\n`.slice(-50));
  expect(sink.text).toHaveLength(kept * line.length + `lost ${1_000 - kept}\n`.length);
});

test('flush: a reader that comes back within a moment gets the last lines, and one that does not holds up no end', () => {
  const { output, sink } = rig(0, 'EAGAIN');
  output.write('last\n');
  output.flush();
  expect(sink.text).toBe('');
  sink.room = Infinity;
  output.flush();
  expect(sink.text).toBe('last\n');
});
