/** What links know of requests: which may be carried out long after their sender has given up, since they change nothing or their change is right at any time; and which may have large answers. */
import type { Request } from './messages.js';

const HARMLESS_LATE: ReadonlySet<Request['kind']> = new Set([
  ...(['read', 'pull', 'fetch', 'scan', 'status', 'holdings', 'ping', 'tree', 'digests', 'sets'] as const),
  // Histories only grow, and their union is the same in whichever order it is made.
  'gossip',
]);

/** A write that is late brings back what has been overwritten since; a merge or a drop meets what has been reaped meanwhile. */
export function isHarmlessLate({ kind }: Pick<Request, 'kind'>): boolean {
  return HARMLESS_LATE.has(kind);
}

const WITH_VALUES: ReadonlySet<Request['kind']> = new Set(['read', 'fetch', 'pull', 'scan', 'sets'] as const);

/** Values, and sets of them, are answered. */
export function mayHaveLargeAnswer({ kind }: Pick<Request, 'kind'>): boolean {
  return WITH_VALUES.has(kind);
}
