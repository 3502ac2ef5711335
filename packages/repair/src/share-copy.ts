/**
 * Copying one share (the keys of one partition and N) from one of its owners, digests first.
 *
 * Page by page, the owner says which keys it holds and in what state; what is held here in the same state need not be sent, and
 * only the rest is asked for and merged, onto stable storage. So of N owners the first sends the data and the others little more
 * than digests; and after an interruption, of the connection or of this process, the copy goes on where it was, because what came
 * is here. The data itself is the checkpoint: there is no other that could be ahead of it, or lost.
 *
 * A page that compares equal is also the receipt for it (the confirmation round of the paper's section 4.9): when the last page
 * has been found equal, or was merged, everything that the owner held is held here.
 */
import { ArmatureError, type BinaryString, type NodeId, type PartitionId } from '@armature/kernel';
import type { KeyRange } from '@armature/merkle';
import {
  isTooLargeToSend,
  type DigestsReply,
  type DigestsRequest,
  type ReplyTo,
  type RingVersion,
  type SynchronisationRequest,
} from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { SliceBudget } from '@armature/replica';
import { differencesOf } from './exchange.js';
import { answerTimeMs, MAX_DIGESTS, type LocalShare } from './local-share.js';
import { askPatiently, endlessPage, PeerFailure, type PatientEnv } from './peer-questions.js';
import type { TransferPace } from './token-bucket.js';
import type { CopyNotes } from './transfer-ledger.js';

export interface ShareCopyEnv extends PatientEnv {
  readonly local: Pick<LocalShare, 'digests'>;
  /** Merges what came, onto stable storage. Rejects when it cannot. */
  readonly keep: (address: Address, set: Uint8Array) => Promise<void>;
  /** Of the view at the moment. */
  readonly ring: () => RingVersion;
  /** Takes in what the peer knows of membership. */
  readonly catchUp: (peer: NodeId) => Promise<unknown>;
  readonly budget: SliceBudget;
  readonly pace: TransferPace;
}

export interface ShareSource {
  readonly partition: PartitionId;
  readonly n: number;
  readonly range: KeyRange;
  readonly source: NodeId;
}

type Listed = Pick<DigestsReply, 'entries' | 'next'>;
const NOTHING: Listed = { entries: [], next: undefined };
/** What a record is taken to weigh before one has been seen. */
const FIRST_GUESS_BYTES = 4_096;

/**
 * Returns early when stopped: then nothing has been copied. Errors: `PeerFailure` when the source does not do its part, or holds
 * a set that no message can carry (`too-large`, after all others have been copied); our own storage's.
 */
export async function copyShare(env: ShareCopyEnv, from: ShareSource, notes: CopyNotes): Promise<void> {
  const { partition, n, range, source } = from;
  const mean = { records: 1, bytes: FIRST_GUESS_BYTES };
  let stuck: PeerFailure | undefined;
  let cursor: BinaryString | undefined = range.start;
  while (cursor !== undefined && !env.isStopped()) {
    await env.budget.ready();
    const query = { partition, n, bucket: undefined, start: cursor, end: range.end, limit: MAX_DIGESTS };
    const theirs: DigestsReply = await ask(env, source, (ring): DigestsRequest => ({ kind: 'digests', ring, ...query }));
    const endless = endlessPage(source, cursor, theirs.next);
    if (endless !== undefined) throw endless;
    const end = theirs.next ?? range.end;
    const ours: Listed = theirs.entries.length === 0 ? NOTHING : await env.local.digests({ ...query, end });
    const { lackedHere, lackedThere, unequal } = differencesOf(ours, theirs, ours.next ?? end);
    env.budget.spend(theirs.entries.length);
    const sizes = new Map(theirs.entries.map(({ address, sizeBytes }) => [address, sizeBytes]));
    const lacking = [...lackedHere, ...unequal].map((address) => ({ address, sizeBytes: sizes.get(address) ?? 0 }));
    stuck = (await bring(env, source, lacking, notes, mean)) ?? stuck;
    notes.compared(ours.entries.length - lackedThere.length + lackedHere.length);
    cursor = ours.next ?? theirs.next;
  }
  if (stuck !== undefined) throw stuck;
}

/** Resolves with the error of a set that could not be sent, if there is one: the others have been brought. */
async function bring(
  env: ShareCopyEnv,
  source: NodeId,
  lacking: readonly Pick<DigestsReply['entries'][number], 'address' | 'sizeBytes'>[],
  notes: CopyNotes,
  mean: { records: number; bytes: number },
): Promise<PeerFailure | undefined> {
  let stuck: PeerFailure | undefined;
  for (let done = 0; done < lacking.length && !env.isStopped();) {
    await env.pace.ready();
    await env.budget.ready();
    const listed = lacking.slice(done, done + env.pace.recordsAtOnce(mean.bytes / mean.records));
    const asked = listed.map(({ address }) => address);
    const timeMs = answerTimeMs(listed.map(({ sizeBytes }) => sizeBytes));
    const reply = await ask(env, source, (ring) => ({ kind: 'sets', ring, addresses: asked }), timeMs).catch(tooLarge);
    if (reply instanceof PeerFailure) {
      stuck = reply;
      done++; // the first of those asked for
      continue;
    }
    const { sets } = reply;
    if (sets.length === 0 || sets.length > asked.length) {
      throw new PeerFailure(source, new ArmatureError('internal', 'sends other sets than asked for'));
    }
    let bytes = 0;
    const kept = sets.map(async (set, place) => {
      const address = asked[place];
      if (set === undefined || address === undefined) return 0; // not held there any more, or damaged: another owner has it
      bytes += address.length + set.length;
      await env.keep(address, set);
      return 1;
    });
    env.pace.spend(bytes);
    env.budget.spend(sets.length);
    const records = (await Promise.all(kept)).reduce((sum: number, one) => sum + one, 0);
    notes.received(records, bytes);
    mean.records += records;
    mean.bytes += bytes;
    done += sets.length;
  }
  return stuck;
}

function tooLarge(thrown: unknown): PeerFailure {
  if (thrown instanceof PeerFailure && isTooLargeToSend(thrown)) return thrown;
  throw thrown;
}

/** Where the ring has turned, one of the two is behind; we catch up, the peer does so by itself. */
function ask<Q extends SynchronisationRequest>(
  env: ShareCopyEnv,
  source: NodeId,
  request: (ring: RingVersion) => Q,
  moreMs = 0,
): Promise<ReplyTo<Q>> {
  return askPatiently(
    env,
    source,
    () => request(env.ring()),
    async ({ code }) => {
      if (code === 'stale-ring') await Promise.resolve(env.catchUp(source)).catch(() => undefined); // asking again shows whether it helped
      return code === 'stale-ring' || code === 'overloaded';
    },
    moreMs,
  );
}
