/** Pace: how much one process has under way at a time, in operations and, of large values, in bytes (`turns.ts`). */
import type { Clock, Telemetry } from '@armature/runtime';
import { LARGE_WRITE_BYTES } from './joined-writes.js';
import { SERVER_BYTES, SERVER_TURNS, Turns, type TurnLimits } from './turns.js';

export class Pace {
  readonly operations: Turns;
  /** Of large values. */
  readonly bytes: Turns;

  constructor(clock: Clock, operations: TurnLimits, bytes: TurnLimits) {
    this.operations = new Turns(clock, operations);
    this.bytes = new Turns(clock, bytes);
  }

  /** As `work(leftMs)`, when there is room for an operation, and for its value of `sizeBytes`. Errors: see `Turns.take`. */
  take<T>(timeoutMs: number, work: (leftMs: number) => Promise<T>, sizeBytes = 0): Promise<T> {
    if (sizeBytes < LARGE_WRITE_BYTES) return this.operations.take(timeoutMs, work);
    return this.bytes.take(timeoutMs, (leftMs) => this.operations.take(leftMs, work), sizeBytes);
  }
}

/** Of a node or a router; metrics say how much is under way and waits. */
export function serverPace(clock: Clock, telemetry: Telemetry): Pace {
  const pace = new Pace(clock, SERVER_TURNS, SERVER_BYTES);
  const gauges = [
    ['armature_operations_under_way', 'Operations that this process coordinates now.', () => pace.operations.underWay],
    ['armature_operations_waiting', 'Operations that wait until this process has room.', () => pace.operations.waiting],
    ['armature_large_bytes_under_way', 'Bytes of large values that this process writes now.', () => pace.bytes.underWay],
    ['armature_large_bytes_waiting', 'Bytes of large values that wait to be written.', () => pace.bytes.waiting],
  ] as const;
  for (const [name, help, read] of gauges) telemetry.observedGauge(name, help, read);
  return pace;
}
