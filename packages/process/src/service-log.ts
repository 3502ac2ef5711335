/**
 * The log of a process: JSON lines for machines, coloured words on a terminal. Where they go is `log-output.ts`.
 *
 * Errors in it are flattened to what an operator can use (code, message, remedy); a stack trace comes only with bugs.
 */
import { ArmatureError, toArmatureError } from '@armature/kernel';
import type { LogFields, Logger } from '@armature/runtime';
import { pinoLog } from '@armature/runtime/observability';
import { prettyFactory } from 'pino-pretty';
import { isBug, stacksOf } from './render-error.js';

export interface ServiceLogOptions {
  readonly level: string;
  readonly format: 'auto' | 'json' | 'pretty';
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  /** On every line. */
  readonly base: Readonly<Record<string, unknown>>;
  /** Takes each line, with its newline. Must not throw. */
  readonly write: (line: string) => void;
}

/** Whether the log will be read by people. */
export function isPretty(options: Pick<ServiceLogOptions, 'format' | 'isTerminal'>): boolean {
  return options.format === 'pretty' || (options.format === 'auto' && options.isTerminal);
}

export function serviceLog(options: ServiceLogOptions): Logger {
  const { level, base, write } = options;
  if (!isPretty(options)) return flatteningErrors(pinoLog({ level, base, destination: { write } }));
  const inWords = prettyFactory({
    colorize: options.isTerminal,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: Object.keys(base).join(','),
    singleLine: true,
  });
  return flatteningErrors(pinoLog({ level, base, destination: { write: (line) => write(inWords(line)) } }));
}

/**
 * A logger whose fields hold errors as plain facts, under `error` where they came as `err`, which pino would serialise its own
 * way.
 */
export function flatteningErrors(inner: Logger): Logger {
  return {
    debug: (fields, message) => inner.debug(flat(fields), message),
    info: (fields, message) => inner.info(flat(fields), message),
    warn: (fields, message) => inner.warn(flat(fields), message),
    error: (fields, message) => inner.error(flat(fields), message),
    child: (fields) => flatteningErrors(inner.child(flat(fields))),
  };
}

function flat(fields: LogFields): LogFields {
  // Most lines have no error, and keep their object.
  if (!Object.values(fields).some((value) => value instanceof Error)) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) =>
      value instanceof Error ? [name === 'err' ? 'error' : name, factsOf(value)] : [name, value],
    ),
  );
}

function factsOf(thrown: Error): LogFields {
  const error = toArmatureError(thrown);
  const cause = error.cause instanceof Error && error.cause !== thrown ? { cause: causeOf(error.cause) } : {};
  return {
    code: error.code,
    message: error.message,
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    ...(Object.keys(error.details).length === 0 ? {} : { details: error.details }),
    ...(isBug(error) ? { stack: stacksOf(thrown) } : cause),
  };
}

function causeOf(cause: Error): string {
  return cause instanceof ArmatureError ? `${cause.code}: ${cause.message}` : cause.message;
}
