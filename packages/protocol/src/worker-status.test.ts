import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseWorkerCommand, parseWorkerStatus, WORKER_COMMANDS, WORKER_STATES, type WorkerStatus } from './index.js';

const count = fc.maxSafeNat();
const status: fc.Arbitrary<WorkerStatus> = fc.record({
  name: fc.string(),
  state: fc.constantFrom(...WORKER_STATES),
  sweeps: count,
  progressPercent: fc.integer({ min: 0, max: 100 }),
  exchanges: count,
  differing: count,
  bytes: count,
  failed: count,
  skipped: count,
  problem: fc.string(),
  reaping: fc.record({
    passes: count,
    candidates: count,
    waiting: count,
    reaped: count,
    heldBack: count,
    blocked: count,
    problem: fc.string(),
  }),
});

test('a worker status survives JSON', () => {
  fc.assert(
    fc.property(status, (one) => {
      expect(parseWorkerStatus(JSON.parse(JSON.stringify(one)))).toEqual({ ok: true, value: one });
    }),
  );
});

test('a status with any field missing or of another kind is refused, and so is any other JSON', () => {
  fc.assert(
    fc.property(status, fc.constantFrom('name', 'state', 'sweeps', 'progressPercent', 'problem', 'reaping'), (one, field) => {
      expect(parseWorkerStatus({ ...one, [field]: undefined }).ok).toBe(false);
      expect(parseWorkerStatus({ ...one, [field]: [] }).ok).toBe(false);
    }),
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(parseWorkerStatus(value).ok).toBe(false);
    }),
  );
});

test('commands are the words that are listed, and no others', () => {
  for (const word of WORKER_COMMANDS) expect(parseWorkerCommand(word)).toBe(word);
  for (const word of ['', 'Pause', 'stop', 'toString']) expect(parseWorkerCommand(word)).toBeUndefined();
});
