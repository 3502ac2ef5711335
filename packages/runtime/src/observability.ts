/**
 * `@armature/runtime/observability`: the log port over pino, and the telemetry port over prom-client. They stand apart from the
 * ports, because loading these libraries takes time and memory that an application which has asked for neither must not pay for.
 */
export { pinoLog, type PinoLogOptions } from './pino-log.js';
export { prometheusTelemetry } from './prometheus-telemetry.js';
