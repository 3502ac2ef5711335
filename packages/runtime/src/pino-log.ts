/** The log port over pino: JSON lines, one per entry, that machines collect and `pino-pretty` shows to people. */
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import type { Logger } from './log.js';

export interface PinoLogOptions {
  /** One of pino's levels, or `silent`. */
  readonly level: string;
  /** Fields on every entry, e.g. the process's role and name. */
  readonly base: Readonly<Record<string, unknown>>;
  /** Where lines go; standard output by default. */
  readonly destination?: DestinationStream;
}

/** JSON lines through pino. */
export function pinoLog(options: PinoLogOptions): Logger {
  const settings = { level: options.level, base: { ...options.base }, timestamp: pino.stdTimeFunctions.isoTime };
  return wrap(options.destination === undefined ? pino(settings) : pino(settings, options.destination));
}

function wrap(inner: PinoLogger): Logger {
  return {
    debug: (fields, message) => inner.debug(fields, message),
    info: (fields, message) => inner.info(fields, message),
    warn: (fields, message) => inner.warn(fields, message),
    error: (fields, message) => inner.error(fields, message),
    child: (fields) => wrap(inner.child({ ...fields })),
  };
}
