/**
 * `@armature/runtime`: the ports to the outside world that are not the bus or the disk (clock, randomness, log,
 * telemetry), each with the twin that tests and simulations use. The adapters that need a library have a door of their own,
 * `@armature/runtime/observability`.
 */
export * from './alarm-wheel.js';
export * from './clock.js';
export * from './log.js';
export * from './manual-clock.js';
export * from './quiescence.js';
export * from './sleep-gauge.js';
export * from './system-clock.js';
export * from './system-random.js';
export * from './telemetry.js';
