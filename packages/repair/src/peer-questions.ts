/** Asking a peer for the sake of a transfer: with patience where it has no room, and telling its failures from our own. */
import { ArmatureError, toArmatureError, type BinaryString, type NodeId } from '@armature/kernel';
import { isTooLargeToSend, type ReplyTo, type SynchronisationRequest } from '@armature/protocol';
import { sleep, type Clock } from '@armature/runtime';

export type AskPeer = <Q extends SynchronisationRequest>(peer: NodeId, request: Q, timeoutMs: number) => Promise<ReplyTo<Q>>;

/** The peer did not do its part; whatever else goes wrong during a transfer is our own trouble. */
export class PeerFailure extends ArmatureError {
  readonly peer: NodeId;

  constructor(peer: NodeId, cause: ArmatureError) {
    super(cause.code, `${peer}: ${cause.message}`, { cause, remedy: cause.remedy, details: cause.details });
    this.peer = peer;
  }
}

/** The failure of a peer whose page, asked for from `cursor` on, leads nowhere; undefined: it leads on, or is the last. */
export function endlessPage(peer: NodeId, cursor: BinaryString, next: BinaryString | undefined): PeerFailure | undefined {
  if (next === undefined || next > cursor) return undefined;
  return new PeerFailure(peer, new ArmatureError('internal', 'sends a page without an end'));
}

/** What a status says of an error; of a set that no message can carry also what to do, since nobody else will. */
export function problemText(error: ArmatureError): string {
  const { code, message, remedy } = error;
  return `${code}: ${message}${isTooLargeToSend(error) && remedy !== undefined ? `. ${remedy}` : ''}`;
}

/** That a set is too large for a message, as a value; every other error goes on. */
export function tooLargeToCarry(thrown: unknown): ArmatureError {
  const error = toArmatureError(thrown);
  if (isTooLargeToSend(error)) return error;
  throw error;
}

/** Longer than a peer keeps anybody waiting for a slice of its time before it says that it has no room. */
const ASK_TIMEOUT_MS = 10_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** Some half a minute. */
const MAX_ATTEMPTS = 20;

export interface PatientEnv {
  readonly ask: AskPeer;
  readonly clock: Clock;
  readonly isStopped: () => boolean;
}

/**
 * Asks, giving an answer `moreMs` more than a small one gets, and asks again for as long as `isPassing` says that the refusal is
 * of the moment (it may do something about that meanwhile). `request` is made anew each time: the ring may have turned. Rejects
 * with a `PeerFailure`.
 */
export async function askPatiently<Q extends SynchronisationRequest>(
  { ask, clock, isStopped }: PatientEnv,
  peer: NodeId,
  request: () => Q,
  isPassing: (error: ArmatureError) => boolean | Promise<boolean>,
  moreMs = 0,
): Promise<ReplyTo<Q>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask(peer, request(), ASK_TIMEOUT_MS + moreMs);
    } catch (thrown) {
      const error = toArmatureError(thrown);
      if (isStopped() || attempt === MAX_ATTEMPTS || !(await isPassing(error))) throw new PeerFailure(peer, error);
      await sleep(clock, Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1)));
    }
  }
}
