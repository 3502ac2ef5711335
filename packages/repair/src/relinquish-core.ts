/**
 * Giving up one share (the keys of one partition and N), without the waiting: an event goes in, the next state and what is to be
 * done come out. Why it is done in this way is told in `relinquish.ts`.
 *
 * It goes page by page. All owners of a page are talked to at the same time, each by itself:
 *
 *   listing --page--> verifying                     what is held here, and in what state; an empty page leads to the next one
 *   verifying --digests--> verifying                one owner tells what it holds of the page; what it lacks is handed over
 *   verifying --read, merged--> verifying           so many sets at a time; what it could not merge is not verified
 *   verifying --last owner--> dropping | listing    only what all owners hold in the listed state, or have merged, is dropped
 *   dropping --held, dropped--> dropping | listing  only what is still in the listed state
 *   any --failure--> ended                          nothing is dropped any more; the other owners are still handed the page
 *
 * No page and no drop begins after a stop or a turn of the ring, and nothing is read to be handed over after a stop.
 *
 * The effects of a step are done in their order, and in the turn of the event: first what is counted and told, then the next
 * question, or the end. A `drop` must begin in the turn in which the ring was looked at.
 */
import { ArmatureError, assert, type BinaryString, type NodeId, type PartitionId } from '@armature/kernel';
import { entryDigest, type KeyRange } from '@armature/merkle';
import type { DigestsReply } from '@armature/protocol';
import type { Address } from '@armature/ring';
import { endlessPage } from './peer-questions.js';

export interface RelinquishedShare {
  readonly partition: PartitionId;
  readonly range: KeyRange;
  /** All of them, at least one. */
  readonly owners: readonly NodeId[];
}

/** Why nothing new begins: the ring is not that of the share any more, or the node stops. */
export type Interruption = 'none' | 'turned' | 'stopped';

type Entries = readonly Pick<DigestsReply['entries'][number], 'address' | 'digest'>[];
type Sets = readonly (Uint8Array | undefined)[];
type DigestsPage = Pick<DigestsReply, 'next'> & { readonly entries: Entries };

export interface HeldSet {
  readonly address: Address;
  readonly set: Uint8Array;
}

/** What one owner has been found to hold of the page. */
interface Verification {
  readonly owner: NodeId;
  /** Where the page of its digests begins that it has been asked for. */
  readonly cursor: BinaryString;
  /** It holds these in the listed state, or has merged them. */
  readonly verified: ReadonlySet<Address>;
  /** Still to be handed over. */
  readonly lacking: Entries;
  /** Being handed over. */
  readonly given: readonly HeldSet[];
  /** The error of a set that no message can carry. */
  readonly stuck: ArmatureError | undefined;
  readonly isDone: boolean;
}

interface Page {
  readonly range: KeyRange;
  readonly entries: Entries;
  /** Where the next one begins. */
  readonly next: BinaryString | undefined;
  /** One for each owner, in their order. */
  readonly verifications: readonly Verification[];
  /** Verified by all owners, and still to be dropped. */
  readonly verified: Entries;
  readonly dropped: number;
  /** Why not all of it may be dropped. */
  readonly problem: ArmatureError | undefined;
}

export interface RelinquishState {
  readonly share: RelinquishedShare;
  readonly page: Page;
  /** Of the pages before. */
  readonly dropped: number;
  readonly problem: ArmatureError | undefined;
  readonly isEnded: boolean;
}

export type RelinquishEffect =
  /** Records were dropped: of one page, for the ledger. */
  | { readonly kind: 'count'; readonly dropped: number }
  /** Records were dropped: of all pages, for the log. */
  | { readonly kind: 'tell'; readonly dropped: number }
  /** List what is held here, from `start` on: `relinquishListed`. */
  | { readonly kind: 'list'; readonly start: BinaryString }
  /** Ask the owner for its digests: `relinquishCompared`. */
  | { readonly kind: 'compare'; readonly owner: NodeId; readonly range: KeyRange }
  /** Read what is to be handed over, as far as a message carries it: `relinquishRead`. */
  | { readonly kind: 'read'; readonly owner: NodeId; readonly addresses: readonly Address[] }
  /** The owner is to merge these onto stable storage: `relinquishMerged`. */
  | { readonly kind: 'hand-over'; readonly owner: NodeId; readonly entries: readonly HeldSet[] }
  /** Read what is to be dropped: `relinquishHeld`. */
  | { readonly kind: 'hold'; readonly addresses: readonly Address[] }
  /** Drop each that is still the same: `relinquishDropped`. */
  | { readonly kind: 'drop'; readonly entries: readonly HeldSet[] }
  /** The share is done with; `problem`: why not all of it was given up. */
  | { readonly kind: 'end'; readonly problem: ArmatureError | undefined };

export interface RelinquishStep {
  readonly state: RelinquishState;
  readonly effects: readonly RelinquishEffect[];
}

/** Sets in one message. */
const HANDED_AT_ONCE = 128;
const NOTHING: readonly RelinquishEffect[] = [];

export function startRelinquish(
  share: RelinquishedShare,
  isSuspect: (node: NodeId) => boolean,
  interruption: Interruption,
): RelinquishStep {
  const { partition, range, owners } = share;
  assert(owners.length > 0, 'nothing is given up to nobody');
  const state = { share, page: pageFrom(range), dropped: 0, problem: undefined, isEnded: false };
  const down = owners.find(isSuspect);
  if (down === undefined) return nextPage(state, range.start, interruption);
  return relinquishFailed(state, new ArmatureError('unavailable', `${down} owns partition ${partition} and seems to be down`));
}

/** What is held here of the page. */
export function relinquishListed(
  state: RelinquishState,
  { entries, next }: DigestsPage,
  interruption: Interruption,
): RelinquishStep {
  if (entries.length === 0) return nextPage(state, next, interruption);
  const range = { start: state.page.range.start, end: next ?? state.share.range.end };
  const verifications = state.share.owners.map((owner) => verificationBy(owner, range.start));
  const effects = verifications.map(({ owner }) => ({ kind: 'compare', owner, range }) as const);
  return { state: { ...state, page: { ...state.page, range, entries, next, verifications } }, effects };
}

/** A page of what the owner holds. */
export function relinquishCompared(
  state: RelinquishState,
  owner: NodeId,
  { entries, next }: DigestsPage,
  interruption: Interruption,
): RelinquishStep {
  const one = verificationOf(state, owner);
  const endless = endlessPage(owner, one.cursor, next);
  if (endless !== undefined) return relinquishFailed(state, endless);
  const { page } = state;
  const listed = new Map(page.entries.map(({ address, digest }) => [address, digest]));
  const verified = new Set(one.verified);
  for (const { address, digest } of entries) {
    if (listed.get(address) === digest) verified.add(address);
    else verified.delete(address);
  }
  if (next !== undefined) {
    const range = { start: next, end: page.range.end };
    return { state: replaced(state, { ...one, cursor: next, verified }), effects: [{ kind: 'compare', owner, range }] };
  }
  const lacking = page.entries.filter(({ address }) => !verified.has(address));
  return handOver(state, { ...one, verified, lacking }, interruption);
}

/** Sets that the owner lacks, as many as were read of those asked for; or the error of the first, which no message can carry. */
export function relinquishRead(
  state: RelinquishState,
  owner: NodeId,
  sets: Sets | ArmatureError,
  interruption: Interruption,
): RelinquishStep {
  const one = verificationOf(state, owner);
  if (sets instanceof ArmatureError) {
    return handOver(state, { ...one, stuck: sets, lacking: one.lacking.slice(1) }, interruption);
  }
  const given = asListed(one.lacking, sets);
  const rest = { ...one, given, lacking: one.lacking.slice(Math.max(1, sets.length)) };
  if (given.length === 0) return handOver(state, rest, interruption);
  return { state: replaced(state, rest), effects: [{ kind: 'hand-over', owner, entries: given }] };
}

/** Which of several the owner refused is not known, so that none of them counts then. */
export function relinquishMerged(
  state: RelinquishState,
  owner: NodeId,
  refused: number,
  interruption: Interruption,
): RelinquishStep {
  const one = verificationOf(state, owner);
  const merged = refused === 0 ? one.given.map(({ address }) => address) : [];
  return handOver(state, { ...one, given: [], verified: new Set([...one.verified, ...merged]) }, interruption);
}

/** What is held now of what may be dropped, as many as were read of those asked for. */
export function relinquishHeld(state: RelinquishState, sets: Sets, interruption: Interruption): RelinquishStep {
  if (sets.length === 0 || interruption !== 'none') return endPage(state, interruption);
  const { page } = state;
  const entries = asListed(page.verified, sets);
  const next = { ...state, page: { ...page, verified: page.verified.slice(sets.length) } };
  return entries.length === 0 ? dropNext(next, interruption) : { state: next, effects: [{ kind: 'drop', entries }] };
}

export function relinquishDropped(state: RelinquishState, dropped: number, interruption: Interruption): RelinquishStep {
  const { page } = state;
  return dropNext({ ...state, page: { ...page, dropped: page.dropped + dropped } }, interruption);
}

/** An owner could not be asked or given something, or the store has failed. */
export function relinquishFailed(state: RelinquishState, problem: ArmatureError): RelinquishStep {
  if (state.isEnded) return { state, effects: NOTHING };
  return { state: { ...state, isEnded: true }, effects: [{ kind: 'end', problem }] };
}

function pageFrom(range: KeyRange): Page {
  return { range, entries: [], next: undefined, verifications: [], verified: [], dropped: 0, problem: undefined };
}

function nextPage(state: RelinquishState, start: BinaryString | undefined, interruption: Interruption): RelinquishStep {
  if (start !== undefined && interruption === 'none') {
    const page = pageFrom({ start, end: state.share.range.end });
    return { state: { ...state, page }, effects: [{ kind: 'list', start }] };
  }
  const { dropped, problem } = state;
  const told: readonly RelinquishEffect[] = dropped > 0 ? [{ kind: 'tell', dropped }] : NOTHING;
  return { state: { ...state, isEnded: true }, effects: [...told, { kind: 'end', problem }] };
}

function endPage(state: RelinquishState, interruption: Interruption): RelinquishStep {
  const { next, dropped, problem } = state.page;
  const after = { ...state, dropped: state.dropped + dropped, problem: problem ?? state.problem };
  const step = nextPage(after, next, interruption);
  return dropped === 0 ? step : { state: step.state, effects: [{ kind: 'count', dropped }, ...step.effects] };
}

function verificationBy(owner: NodeId, cursor: BinaryString): Verification {
  return { owner, cursor, verified: new Set(), lacking: [], given: [], stuck: undefined, isDone: false };
}

function verificationOf({ page }: RelinquishState, owner: NodeId): Verification {
  const found = page.verifications.find((one) => one.owner === owner);
  assert(found !== undefined && !found.isDone, 'the owner is talked to');
  return found;
}

function replaced(state: RelinquishState, by: Verification): RelinquishState {
  const verifications = state.page.verifications.map((one) => (one.owner === by.owner ? by : one));
  return { ...state, page: { ...state.page, verifications } };
}

/** The next sets for this owner; with none left, it is done. */
function handOver(state: RelinquishState, one: Verification, interruption: Interruption): RelinquishStep {
  const addresses = one.lacking.slice(0, HANDED_AT_ONCE).map(({ address }) => address);
  if (addresses.length > 0 && interruption !== 'stopped') {
    return { state: replaced(state, one), effects: [{ kind: 'read', owner: one.owner, addresses }] };
  }
  return decideDrops(replaced(state, { ...one, isDone: true }), interruption);
}

/** When the last owner is done: what may be dropped, and what is reported of the rest. */
function decideDrops(state: RelinquishState, interruption: Interruption): RelinquishStep {
  const { page, share, isEnded } = state;
  const { entries, verifications } = page;
  if (isEnded || verifications.some(({ isDone }) => !isDone)) return { state, effects: NOTHING };
  const everywhere = entries.filter(({ address }) => verifications.every(({ verified }) => verified.has(address)));
  const { stuck } = verifications.find((one) => one.stuck !== undefined) ?? {};
  const problem = everywhere.length === entries.length ? undefined : (stuck ?? refusedBySome(share.partition));
  return dropNext({ ...state, page: { ...page, verified: everywhere, problem } }, interruption);
}

function refusedBySome(partition: PartitionId): ArmatureError {
  return new ArmatureError('unavailable', `not all owners of partition ${partition} could merge what they were given`, {
    remedy: 'See the logs of the owners. It is tried again by itself.',
  });
}

function dropNext(state: RelinquishState, interruption: Interruption): RelinquishStep {
  const addresses = state.page.verified.slice(0, HANDED_AT_ONCE).map(({ address }) => address);
  return addresses.length === 0 ? endPage(state, interruption) : { state, effects: [{ kind: 'hold', addresses }] };
}

/** Those of the first entries whose sets, which were read now, are still what was listed. */
function asListed(entries: Entries, sets: Sets): readonly HeldSet[] {
  return sets.flatMap((set, place) => {
    const entry = entries[place];
    const isAsListed = entry !== undefined && set !== undefined && entryDigest(entry.address, set) === entry.digest;
    return isAsListed ? [{ address: entry.address, set }] : [];
  });
}
