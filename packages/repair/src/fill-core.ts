/**
 * One round of filling, without the waiting: an event goes in, the next state and what is to be done come out. What a copy
 * vouches for is told in `filler.ts`.
 *
 * So many places work side by side. Each of them takes the next pending partition:
 *
 *   clearing --cleared--> copying          no drop of an earlier view is under way any more
 *   copying --copied, failed--> copying    group by group, one source after the other; a failure of a source is noted
 *   copying --last source--> copied        with enough sources; with fewer the partition has failed
 *   copied, and a declaration is due       this place confirms all that is copied, and says `ready` for what still counts
 *   confirming --confirmed--> declaring    what is on stable storage, and whose sources have told what buckets they know
 *   declaring --declared--> ...            one record for each change, one after the other
 *
 * When all places are done, what is left is declared as well, and the round ends. One partition that fails keeps no other from
 * being copied; the first problem is reported, but for one of the last declaration, which goes before it. After a stop nothing
 * new begins, and the round ends when what was under way has ended.
 *
 * The effects of a step are done in their order: first what is noted, then the next work, or the end.
 */
import { assert, type ArmatureError, type NodeId, type PartitionId } from '@armature/kernel';
import type { PendingCopy, View } from '@armature/membership';
import { heard, shortfall, type Copied } from './copies-needed.js';

/** What is so at the moment of an event. */
export interface FillMoment {
  readonly nowMs: number;
  readonly isStopped: boolean;
  readonly view: Pick<View, 'ring' | 'leastW'>;
  readonly isSuspect: (node: NodeId) => boolean;
}

/** A source of a partition that is being copied. */
interface Source {
  readonly n: number;
  readonly node: NodeId;
}

interface Copying {
  readonly copy: PendingCopy;
  /** Still to be copied, the first of them now. */
  readonly sources: readonly Source[];
  readonly copied: Copied;
  readonly failures: readonly string[];
}

interface Done {
  readonly copy: PendingCopy;
  readonly copied: Copied;
  readonly atMs: number;
}

interface ReadyRecord {
  readonly change: string;
  readonly partitions: readonly PartitionId[];
}

/** Copied partitions on their way to be declared. */
interface Declaration {
  readonly id: number;
  readonly done: readonly Done[];
  /** Still to be stated, the first of them now; none before it is confirmed. */
  readonly records: readonly ReadyRecord[];
  /** No place is waiting for it: all are done. */
  readonly isLast: boolean;
}

export interface FillState {
  readonly pending: readonly PendingCopy[];
  /** So many of them have been taken. */
  readonly taken: number;
  readonly copying: readonly Copying[];
  /** Copied, and not on their way to be declared. */
  readonly done: readonly Done[];
  readonly declarations: readonly Declaration[];
  /** So many have begun. */
  readonly declared: number;
  readonly problem: ArmatureError | undefined;
  readonly isEnded: boolean;
}

export type FillEffect =
  /** A partition was copied without these. */
  | { readonly kind: 'note'; readonly partition: PartitionId; readonly failures: readonly string[] }
  /** Something that was copied does not count any more: look again after this round. */
  | { readonly kind: 'wake' }
  /** Wait until no drop of an earlier view is under way: `fillCleared`. */
  | { readonly kind: 'clear'; readonly partition: PartitionId }
  /** Copy the share from the source: `fillCopied`, `fillSourceFailed`. */
  | { readonly kind: 'copy'; readonly partition: PartitionId; readonly n: number; readonly source: NodeId }
  /** Bring all to stable storage, then learn what these sources know of membership: `fillConfirmed`. */
  | { readonly kind: 'confirm'; readonly id: number; readonly sources: readonly NodeId[] }
  /** Say `ready`: `fillDeclared`. */
  | ({ readonly kind: 'declare'; readonly id: number } & ReadyRecord)
  /** The round is over; `problem`: why not all is filled. */
  | { readonly kind: 'end'; readonly problem: ArmatureError | undefined };

export interface FillStep {
  readonly state: FillState;
  readonly effects: readonly FillEffect[];
}

/** Partitions declared ready in one record: few records in the history ... */
const PARTITIONS_PER_RECORD = 256;
/** ... and early progress on a long fill. */
const DECLARE_AFTER_MS = 5_000;

/** `atOnce`: places, that is partitions copied at a time. */
export function startFill(pending: readonly PendingCopy[], atOnce: number, moment: FillMoment): FillStep {
  const none = { taken: 0, copying: [], done: [], declarations: [], declared: 0, problem: undefined, isEnded: false };
  let step: FillStep = { state: { ...none, pending }, effects: [] };
  for (let place = 0; place < atOnce && !step.state.isEnded; place++) step = and(step, (state) => takeNext(state, moment));
  return step;
}

/** No drop of an earlier view is under way. */
export function fillCleared(state: FillState, partition: PartitionId, moment: FillMoment): FillStep {
  return copyNext(state, copyingOf(state, partition), moment);
}

/** The share was copied from the source; it was not if the node has been stopped meanwhile. */
export function fillCopied(state: FillState, partition: PartitionId, moment: FillMoment): FillStep {
  const one = copyingOf(state, partition);
  const [source, ...sources] = one.sources;
  assert(source !== undefined, 'a source is being copied');
  const from = new Set(one.copied.get(source.n)).add(source.node);
  return copyNext(state, { ...one, sources, copied: new Map(one.copied).set(source.n, from) }, moment);
}

/** The source has not done its part. */
export function fillSourceFailed(state: FillState, partition: PartitionId, failure: string, moment: FillMoment): FillStep {
  const one = copyingOf(state, partition);
  return copyNext(state, { ...one, sources: one.sources.slice(1), failures: [...one.failures, failure] }, moment);
}

/** Our own trouble: the partition is not copied in this round. */
export function fillFailed(state: FillState, partition: PartitionId, problem: ArmatureError, moment: FillMoment): FillStep {
  const rest = without(state, partition);
  return takeNext({ ...rest, problem: rest.problem ?? problem }, moment);
}

/**
 * All is on stable storage, and of the sources all but the silent ones have told what they know of membership. A source that
 * cannot say which buckets it knows may hold some that were not copied: it is as if it had not been one. `pending`: what is to
 * be copied now.
 */
export function fillConfirmed(
  state: FillState,
  id: number,
  silent: ReadonlySet<NodeId>,
  pending: readonly PendingCopy[],
  moment: FillMoment,
): FillStep {
  const { done } = declarationOf(state, id);
  const now = new Map(pending.map((copy) => [copy.partition, copy]));
  const byChange = new Map<string, PartitionId[]>();
  let isOutdated = false;
  for (const { copy, copied } of done) {
    const { partition, change } = copy;
    const wanted = now.get(partition);
    if (wanted === undefined) continue;
    if (wanted.change === change && shortfall(moment.view, wanted, heard(copied, silent), []) === undefined) {
      byChange.set(change, [...(byChange.get(change) ?? []), partition]);
    } else isOutdated = true;
  }
  const effects: FillEffect[] = isOutdated ? [{ kind: 'wake' }] : [];
  const records = moment.isStopped ? [] : [...byChange].map(([change, partitions]) => ({ change, partitions }));
  return and({ state, effects }, (next) => declareNext(next, id, records, moment));
}

/** The record is stated. */
export function fillDeclared(state: FillState, id: number, moment: FillMoment): FillStep {
  return declareNext(state, id, declarationOf(state, id).records.slice(1), moment);
}

/** Something could not be brought to stable storage, or stated: what has not been is looked at again in the next round. */
export function fillUndeclared(state: FillState, id: number, problem: ArmatureError, moment: FillMoment): FillStep {
  const { isLast } = declarationOf(state, id);
  const first = isLast ? problem : (state.problem ?? problem);
  return declareNext({ ...state, problem: first }, id, [], moment);
}

/** The place takes the next partition. With none left it is done, and the last one ends the round. */
function takeNext(state: FillState, moment: FillMoment): FillStep {
  const copy = state.pending[state.taken];
  if (copy !== undefined && !moment.isStopped) {
    const sources = copy.groups.flatMap(({ n, owners }) => rotated(owners, copy.partition).map((node) => ({ n, node })));
    const copied = new Map(copy.groups.map(({ n }) => [n, new Set<NodeId>()]));
    const copying = [...state.copying, { copy, sources, copied, failures: [] }];
    return { state: { ...state, taken: state.taken + 1, copying }, effects: [{ kind: 'clear', partition: copy.partition }] };
  }
  if (state.copying.length > 0 || state.declarations.length > 0) return { state, effects: [] };
  if (moment.isStopped) return { state: { ...state, isEnded: true }, effects: [{ kind: 'end', problem: undefined }] };
  if (state.done.length > 0) return declare(state, true);
  return { state: { ...state, isEnded: true }, effects: [{ kind: 'end', problem: state.problem }] };
}

/** The next source that does not seem to be down; after the last one it shows whether they were enough. */
function copyNext(state: FillState, one: Copying, moment: FillMoment): FillStep {
  const { partition } = one.copy;
  // A copy that was cut short is no copy.
  if (moment.isStopped) return takeNext(without(state, partition), moment);
  const [source, ...sources] = one.sources;
  if (source === undefined) return endCopy(state, one, moment);
  const failure = whyNot(source.node, moment);
  if (failure !== undefined) return copyNext(state, { ...one, sources, failures: [...one.failures, failure] }, moment);
  const copying = state.copying.map((each) => (each.copy === one.copy ? one : each));
  return { state: { ...state, copying }, effects: [{ kind: 'copy', partition, n: source.n, source: source.node }] };
}

/** Why the source is not even asked. */
function whyNot(source: NodeId, { view, isSuspect }: FillMoment): string | undefined {
  if (view.ring === undefined) return 'there is no ring';
  return isSuspect(source) ? `${source} seems to be down` : undefined;
}

function endCopy(state: FillState, { copy, copied, failures }: Copying, moment: FillMoment): FillStep {
  const { partition } = copy;
  const problem = shortfall(moment.view, copy, copied, failures);
  if (problem !== undefined) return fillFailed(state, partition, problem, moment);
  const effects: FillEffect[] = failures.length > 0 ? [{ kind: 'note', partition, failures }] : [];
  const done = [...state.done, { copy, copied, atMs: moment.nowMs }];
  const isDue = done.length >= PARTITIONS_PER_RECORD || moment.nowMs - (done[0]?.atMs ?? moment.nowMs) >= DECLARE_AFTER_MS;
  const next = { ...without(state, partition), done };
  return and({ state: next, effects }, (rest) => (isDue ? declare(rest, false) : takeNext(rest, moment)));
}

/** Takes all that is copied on its way to be declared. */
function declare(state: FillState, isLast: boolean): FillStep {
  const { done, declared } = state;
  const declaration = { id: declared, done, records: [], isLast };
  const sources = new Set(done.flatMap(({ copied }) => [...copied.values()].flatMap((from) => [...from])));
  const declarations = [...state.declarations, declaration];
  const next = { ...state, done: [], declarations, declared: declared + 1 };
  return { state: next, effects: [{ kind: 'confirm', id: declared, sources: [...sources] }] };
}

/** States the next of the records. After the last one the place goes on. */
function declareNext(state: FillState, id: number, records: readonly ReadyRecord[], moment: FillMoment): FillStep {
  const [record] = records;
  if (record !== undefined) {
    const declarations = state.declarations.map((one) => (one.id === id ? { ...one, records } : one));
    return { state: { ...state, declarations }, effects: [{ kind: 'declare', id, ...record }] };
  }
  const next = { ...state, declarations: state.declarations.filter((one) => one.id !== id) };
  return takeNext(next, moment);
}

function copyingOf(state: FillState, partition: PartitionId): Copying {
  const found = state.copying.find(({ copy }) => copy.partition === partition);
  assert(found !== undefined, 'the partition is being copied');
  return found;
}

function without(state: FillState, partition: PartitionId): FillState {
  return { ...state, copying: state.copying.filter(({ copy }) => copy.partition !== partition) };
}

function declarationOf(state: FillState, id: number): Declaration {
  const found = state.declarations.find((one) => one.id === id);
  assert(found !== undefined, 'the declaration is under way');
  return found;
}

/** A step, and another one after it. */
function and({ state, effects }: FillStep, further: (state: FillState) => FillStep): FillStep {
  const step = further(state);
  return { state: step.state, effects: [...effects, ...step.effects] };
}

/** Another one first for every partition, so that the data comes from all of them and not N times from one. */
function rotated(owners: readonly NodeId[], partition: PartitionId): readonly NodeId[] {
  const first = partition % Math.max(1, owners.length);
  return [...owners.slice(first), ...owners.slice(0, first)];
}
