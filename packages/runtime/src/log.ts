/** Facts of an event, for machines; never a user's value, key, or secret. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured logging as a port. `warn` asks an operator to look some day, `error` asks now. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to each entry. */
  child(fields: LogFields): Logger;
}

export const silentLog: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};

export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: LogFields;
}

/** The twin for tests: keeps the last `limit` entries. */
export function recordingLog(limit = 1000): { readonly log: Logger; readonly entries: readonly LogEntry[] } {
  const entries: LogEntry[] = [];
  const make = (base: LogFields): Logger => {
    const at =
      (level: LogEntry['level']) =>
      (fields: LogFields, message: string): void => {
        entries.push({ level, message, fields: { ...base, ...fields } });
        if (entries.length > limit) entries.shift();
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => make({ ...base, ...fields }),
    };
  };
  return { log: make({}), entries };
}
