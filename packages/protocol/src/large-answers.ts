/** Which requests may have large answers, so that links make them wait while much waits to be sent to the same peer. */
import type { Request } from './messages.js';

const WITH_VALUES: ReadonlySet<Request['kind']> = new Set(['read', 'fetch', 'pull', 'scan', 'sets'] as const);

/** Values, and sets of them, are answered. */
export function mayHaveLargeAnswer({ kind }: Pick<Request, 'kind'>): boolean {
  return WITH_VALUES.has(kind);
}
