/**
 * The ledger of a workload: what was asked for, what was answered, and whether the final state accounts for every acknowledged
 * write. Pure.
 *
 * An acknowledged write must be in the final state or causally superseded, and "superseded" is checked, not assumed: each write
 * has an id of its own and notes the ids that its context had read. Whatever the final values had read, and what that had read in
 * turn, is superseded; an acknowledged write outside of that is lost. Writes that are partial or unknown may be there or not, but
 * one that was refused must not be, and a value whose deletion was acknowledged must not be there again.
 */

/**
 * `set`: read, add the own id, write with the context of the read. `register`: read, replace all by the own id. `deletion`: a key
 * of its own, written once and deleted with the context of that write.
 */
export type WorkloadKind = 'set' | 'register' | 'deletion';
export const WORKLOAD_KINDS: readonly WorkloadKind[] = ['set', 'register', 'deletion'];

/** `unread`: the read before it failed, so the write was never sent. `refused`: the error says that it did not happen. */
export type Outcome = 'acknowledged' | 'partial' | 'unknown' | 'refused' | 'unread';

export interface Operation {
  /** 16 hex digits; the operation id on the wire, and the value written. */
  readonly id: string;
  readonly kind: WorkloadKind;
  readonly action: 'write' | 'delete';
  readonly key: string;
  /** Ids of the values that the context of this write covers. */
  readonly saw: readonly string[];
  readonly outcome: Outcome;
  /** Error code and message; empty for acknowledged writes. */
  readonly problem: string;
  /** By one monotonic clock. */
  readonly startedMs: number;
  readonly endedMs: number;
}

export interface Account {
  readonly counts: Readonly<Record<Outcome, number>>;
  /** Acknowledged, and neither in the final state nor superseded. */
  readonly lost: readonly Operation[];
  /** Acknowledged deletions whose value is there again. */
  readonly returned: readonly Operation[];
  /** Refused, never sent, or never asked for, and read or there at the end nevertheless. */
  readonly surfaced: readonly string[];
  /** The longest time in which nobody's write was acknowledged. */
  readonly unavailableMs: number;
}

/** Ids in the final state of each key. */
export type FinalState = ReadonlyMap<string, readonly string[]>;

/** `startedMs` and `endedMs` bound the workload, so that silence at its ends counts too. */
export function settle(
  operations: readonly Operation[],
  final: FinalState,
  span: { readonly startedMs: number; readonly endedMs: number },
): Account {
  const lost: Operation[] = [];
  const returned: Operation[] = [];
  const surfaced: string[] = [];
  for (const [key, own] of byKey(operations)) {
    const present = new Set(final.get(key));
    const accounted = accountedFor(own, present);
    for (const operation of own) {
      if (operation.outcome !== 'acknowledged') continue;
      if (operation.action === 'write' && !accounted.has(operation.id)) lost.push(operation);
      if (operation.action === 'delete' && operation.saw.some((id) => present.has(id))) returned.push(operation);
    }
    const possible = new Set(own.filter(mayBeThere).map(({ id }) => id));
    const seen = new Set([...own.flatMap(({ saw }) => saw), ...present]);
    for (const id of seen) if (!possible.has(id)) surfaced.push(`${key}: ${id}`);
  }
  return { counts: countsOf(operations), lost, returned, surfaced, unavailableMs: longestSilenceMs(operations, span) };
}

/** One line, for people. */
export function accountText(name: string, { counts, lost, returned, surfaced, unavailableMs }: Account): string {
  const { acknowledged, partial, unknown, refused, unread } = counts;
  const breaches = returned.length + surfaced.length;
  return [
    `${name}: ${acknowledged} acknowledged, ${lost.length} lost, ${partial} partial, ${unknown} unknown, ${refused + unread} refused`,
    ...(breaches > 0 ? [`${returned.length} deleted and back, ${surfaced.length} refused and there`] : []),
    `unavailable for ${Math.round(unavailableMs)} ms at most`,
  ].join(', ');
}

/** Ids that are there, or were seen by something that is, at any remove. Of a key that is empty, by its deletions. */
function accountedFor(operations: readonly Operation[], present: ReadonlySet<string>): ReadonlySet<string> {
  const byId = new Map(operations.map((operation) => [operation.id, operation]));
  const deletions = operations.filter((operation) => operation.action === 'delete' && mayBeThere(operation));
  const open = [...present, ...(present.size === 0 ? deletions.map(({ id }) => id) : [])];
  const accounted = new Set(open);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const seen of byId.get(id)?.saw ?? []) {
      if (accounted.has(seen)) continue;
      accounted.add(seen);
      open.push(seen);
    }
  }
  return accounted;
}

function byKey(operations: readonly Operation[]): ReadonlyMap<string, readonly Operation[]> {
  const groups = new Map<string, Operation[]>();
  for (const operation of operations) {
    const group = groups.get(operation.key);
    if (group === undefined) groups.set(operation.key, [operation]);
    else group.push(operation);
  }
  return groups;
}

function mayBeThere({ outcome }: Operation): boolean {
  return outcome !== 'refused' && outcome !== 'unread';
}

function countsOf(operations: readonly Operation[]): Record<Outcome, number> {
  const counts: Record<Outcome, number> = { acknowledged: 0, partial: 0, unknown: 0, refused: 0, unread: 0 };
  for (const { outcome } of operations) counts[outcome]++;
  return counts;
}

function longestSilenceMs(operations: readonly Operation[], span: { startedMs: number; endedMs: number }): number {
  const times = operations.filter(({ outcome }) => outcome === 'acknowledged').map(({ endedMs }) => endedMs);
  times.sort((a, b) => a - b);
  let longestMs = 0;
  let lastMs = span.startedMs;
  for (const timeMs of [...times, span.endedMs]) {
    longestMs = Math.max(longestMs, timeMs - lastMs);
    lastMs = timeMs;
  }
  return longestMs;
}
