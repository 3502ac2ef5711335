import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { workerStatus as status } from './arbitraries.test-support.js';
import { parseWorkerStatus } from './worker-status.js';

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
