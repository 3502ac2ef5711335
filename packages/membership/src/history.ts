/**
 * The history: the set of all changes ever made to a cluster (paper, section 4.8.1).
 *
 * It only grows, and two histories are joined by union, so the order in which records travel cannot matter: whoever has the
 * same records has the same history. To fold it, the records are put in one order that all agree on, by hybrid logical time
 * and then by id. A fingerprint stands for the whole: two processes compare 32 characters and, nearly always, are done.
 *
 * Two things are refused, loudly and as a whole batch. Records of another cluster: two clusters of one name that meet on one bus
 * would otherwise merge into one that neither administrator made. And a record whose id is known with other content:
 * someone has rewritten history, and no union can say which of the two is true.
 *
 * A record's time is never held against a clock here. A node that refused records from a fast clock would keep a history of its
 * own for as long as that clock stays fast, which is a split cluster; the times serve only to order, and
 * each new record is stamped later than all that its author knows, so causes come before effects whatever the clocks say.
 *
 * So stamps must not run out. No author takes a time beyond `MAX_RECORD_AT` from its clock; only the records that follow one near
 * it are stamped beyond, each one tick after the latest before it. A history of k records thus never has an honest stamp beyond
 * `MAX_RECORD_AT` + k, and what is stamped later than that is left out, and nothing else with it. A record that is taken in makes
 * room for the one that comes next, so no record, however late its stamp, keeps others out. One that is left out because what it
 * followed is not known yet comes again with that.
 */
import { createHash } from 'node:crypto';
import { ArmatureError, err, HLC_ZERO, ok, type Hlc, type Result } from '@armature/kernel';
import { MAX_RECORD_AT, compareRecords, type ChangeRecord } from '@armature/protocol';

/**
 * From here on operators are warned: 10 MB of records that every process keeps and that gossip sends whole. Decades of
 * administration, or something that runs in circles.
 */
export const MANY_RECORDS = 50_000;

/** Half of a SHA-256 in hex: nobody will meet two histories of one fingerprint. */
const FINGERPRINT_CHARS = 32;

interface Entry {
  readonly record: ChangeRecord;
  /** SHA-256 of the record's canonical form. */
  readonly digest: Buffer;
}

export interface Merge {
  readonly history: History;
  /** The records that were new, in order. Empty: `history` is the very one that was merged into. */
  readonly added: readonly ChangeRecord[];
  /** Records that were new and are stamped later than any that follows from what is known: not taken. */
  readonly leftOut: readonly ChangeRecord[];
}

/** An immutable set of change records. */
export class History {
  static readonly empty = new History([], new Map(), undefined);

  /** In order. */
  readonly records: readonly ChangeRecord[];
  /** Of the cluster that the history belongs to; undefined before `create` is known. */
  readonly clusterId: string | undefined;
  readonly #entries: readonly Entry[];
  readonly #byId: ReadonlyMap<string, Entry>;
  #fingerprint: string | undefined;

  private constructor(entries: readonly Entry[], byId: ReadonlyMap<string, Entry>, clusterId: string | undefined) {
    this.#entries = entries;
    this.#byId = byId;
    this.records = entries.map((entry) => entry.record);
    this.clusterId = clusterId;
  }

  /** 32 hex characters over the ordered records: equal for equal histories, different for different ones. */
  get fingerprint(): string {
    this.#fingerprint ??= this.#hash();
    return this.#fingerprint;
  }

  /** Time of the latest record; new ones are stamped after it. */
  get lastAt(): Hlc {
    return this.records.at(-1)?.at ?? HLC_ZERO;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** SHA-256 of the record with this index in `records`, in hex. */
  digestAt(index: number): string {
    return this.#entries[index]?.digest.toString('hex') ?? '';
  }

  /** How many records at the start are the same in both. */
  commonPrefix(other: History): number {
    const limit = Math.min(this.records.length, other.records.length);
    let length = 0;
    while (length < limit && this.records[length]?.id === other.records[length]?.id) length++;
    return length;
  }

  /**
   * The union, less what is stamped too late (see the head of this file). Errors: `wrong-cluster`; `invalid-argument` for an id
   * with two contents. After an error nothing of the batch has been taken.
   */
  merge(incoming: readonly ChangeRecord[]): Result<Merge, ArmatureError> {
    const fresh = new Map<string, Entry>();
    let clusterId = this.clusterId;
    for (const record of incoming) {
      const digest = digestOf(record);
      const known = this.#byId.get(record.id) ?? fresh.get(record.id);
      if (known !== undefined) {
        if (!known.digest.equals(digest)) return err(rewritten(record));
        continue;
      }
      if (record.change.kind === 'create') {
        if (clusterId !== undefined && clusterId !== record.change.clusterId)
          return err(wrongCluster(clusterId, record.change.clusterId));
        clusterId = record.change.clusterId;
      }
      fresh.set(record.id, { record, digest });
    }
    const { added, leftOut } = this.#split([...fresh.values()].sort((a, b) => compareRecords(a.record, b.record)));
    if (added.length === 0) return ok({ history: this, added: [], leftOut });
    const byId = new Map(this.#byId);
    for (const entry of added) byId.set(entry.record.id, entry);
    const isCreated = added.some(({ record }) => record.change.kind === 'create');
    const history = new History(mergeSorted(this.#entries, added), byId, isCreated ? clusterId : this.clusterId);
    return ok({ history, added: added.map((entry) => entry.record), leftOut });
  }

  /** New entries in order: those to take, and the records that are stamped too late. */
  #split(sorted: readonly Entry[]): { added: readonly Entry[]; leftOut: readonly ChangeRecord[] } {
    const known = this.#entries.length;
    const firstLate = sorted.findIndex(({ record }, i) => record.at > MAX_RECORD_AT + known + i + 1);
    if (firstLate < 0) return { added: sorted, leftOut: [] };
    return { added: sorted.slice(0, firstLate), leftOut: sorted.slice(firstLate).map(({ record }) => record) };
  }

  #hash(): string {
    const hash = createHash('sha256');
    for (const entry of this.#entries) hash.update(entry.digest);
    return hash.digest('hex').slice(0, FINGERPRINT_CHARS);
  }
}

/** Whether a record bears on who owns what. The others configure buckets or access, or say under which actor a node mints. */
export function isRingRecord(record: ChangeRecord): boolean {
  const { kind } = record.change;
  return kind !== 'bucket' && kind !== 'actor' && kind !== 'access';
}

export function ringRecords(history: History): readonly ChangeRecord[] {
  return history.records.filter(isRingRecord);
}

/** Over JSON with sorted names, so that the order in which a record's fields were written does not matter. */
function digestOf(record: ChangeRecord): Buffer {
  return createHash('sha256').update(canonicalJson(record)).digest();
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(withSortedNames(value));
}

/** Sorting first, and then one plain `stringify`, takes a fraction of the time of one with a replacer. */
function withSortedNames(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withSortedNames);
  const sorted = Object.create(null) as Record<string, unknown>; // so that no name means anything, `__proto__` for one
  for (const name of Object.keys(value).sort()) sorted[name] = withSortedNames((value as Record<string, unknown>)[name]);
  return sorted;
}

function mergeSorted(a: readonly Entry[], b: readonly Entry[]): Entry[] {
  const out: Entry[] = [];
  let next = 0;
  for (const entry of a) {
    for (let other = b[next]; other !== undefined && compareRecords(other.record, entry.record) < 0; other = b[++next])
      out.push(other);
    out.push(entry);
  }
  return out.concat(b.slice(next));
}

function wrongCluster(ours: string, theirs: string): ArmatureError {
  return new ArmatureError('wrong-cluster', `records of cluster ${theirs} do not belong in the history of cluster ${ours}`, {
    remedy:
      'Two clusters share one name on one bus. Give one of them another name or prefix, or wipe the node that was created by mistake.',
    details: { ours, theirs },
  });
}

function rewritten(record: ChangeRecord): ArmatureError {
  return new ArmatureError('invalid-argument', `change record ${record.id} is known with other content`, {
    remedy:
      "Somebody altered a node's stored history. Wipe that node's membership data; it will learn the history from the others.",
    details: { id: record.id, kind: record.change.kind, by: record.by },
  });
}
