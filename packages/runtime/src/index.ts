/**
 * `@armature/runtime`: the ports to the outside world that are not the bus or the disk (clock, randomness, log,
 * telemetry), each with the twin that tests and simulations use. The adapters that need a library have a door of their own,
 * `@armature/runtime/observability`.
 */
export { AlarmWheel, type Alarm } from './alarm-wheel.js';
export { repeat, sleep, waitAtMost, type Clock, type Timer } from './clock.js';
export { recordingLog, silentLog, type LogEntry, type LogFields, type Logger } from './log.js';
export { ManualClock } from './manual-clock.js';
export { whenQuiescent } from './quiescence.js';
export { SleepGauge } from './sleep-gauge.js';
export { systemClock } from './system-clock.js';
export { systemRandom } from './system-random.js';
export {
  LATENCY_BUCKETS_S,
  memoryTelemetry,
  noTelemetry,
  scopedTelemetry,
  type Counter,
  type Histogram,
  type Labels,
  type ObservedGauge,
  type ScopedTelemetry,
  type Telemetry,
} from './telemetry.js';
