/**
 * The ring fence: a replica answers only those who have its ring.
 *
 * Why a sender that is behind must be refused: it may write to old owners only, after the new owner has copied from them and
 * before it flips, and the write would be acknowledged and then left out. A sender whose ring we do not know is not simply ahead:
 * two changes may have been made at once, and it may lack ours. So we first catch up with it, and answer when we then agree.
 *
 * And it answers only for a store that is the one that was here last: whether it is, a view may tell that has arrived with this
 * very request.
 */
import { ArmatureError, toArmatureError, type NodeId } from '@armature/kernel';
import type { LinkSender } from '@armature/bus';
import type { Membership, View } from '@armature/membership';
import { isGuest, type RingVersion } from '@armature/protocol';
import type { StoreIdentity } from './store-identity.js';

export interface Fence {
  readonly membership: Pick<Membership, 'view' | 'refresh'>;
  readonly identity: Pick<StoreIdentity, 'check'>;
}

/**
 * Undefined when sender and receiver agree, at once or (a promise) after catching up with `sender`. Errors: `stale-ring`, on
 * which the sender catches up; `unavailable` while the store is not settled.
 */
export function fenceByRing({ membership, identity }: Fence, ring: RingVersion, sender: string): undefined | Promise<undefined> {
  const { view } = membership;
  if (ring === view.ringVersion) {
    identity.check();
    return undefined;
  }
  if (view.isPastRing(ring)) throw staleRing(view, 'the sender has an older ring');
  // Guests keep no history: whose ring a guest has, the others know.
  return membership.refresh(isGuest(sender) ? undefined : sender).then(
    (refreshed) => {
      if (ring === refreshed.ringVersion) {
        identity.check();
        return undefined;
      }
      throw staleRing(refreshed, 'sender and receiver have different rings');
    },
    (thrown: unknown) => {
      throw staleRing(view, `this node could not catch up with the sender: ${toArmatureError(thrown).message}`);
    },
  );
}

/** The handler of requests that are about what an owner holds: it is called for those only whose ring this node has. */
export function fenced<Q extends { readonly ring: RingVersion }, R>(
  fence: Fence,
  handle: (request: Q, sender: LinkSender) => R | Promise<R>,
): (request: Q, sender: LinkSender) => R | Promise<R> {
  const pass = (request: Q, sender: LinkSender): R | Promise<R> => {
    const catchingUp = fenceByRing(fence, request.ring, sender.address);
    // Again after it: the ring may be another one by the time the promise is looked at.
    return catchingUp === undefined ? handle(request, sender) : catchingUp.then(() => pass(request, sender));
  };
  return pass;
}

/**
 * A node that is no member (any more) may bring what has been deleted, and its tombstone reaped, since anybody asked it: it is
 * not asked. Call it after the fence, of what changes something here. Error `invalid-argument`. Routers and clients are no
 * members either, and hold nothing.
 */
export function checkGiver(view: View, sender: string): void {
  const [role, name] = sender.split('.', 2);
  if (role !== 'node' || view.members.has(name as NodeId)) return;
  throw new ArmatureError(
    'invalid-argument',
    `${name ?? sender} is no member of the cluster: what it holds may be long out of date`,
    {
      remedy: `If it is to take part, join it: armature cluster join ${name ?? '<node>'}.`,
    },
  );
}

function staleRing(view: View, why: string): ArmatureError {
  return new ArmatureError('stale-ring', why, { details: { ring: view.ringVersion } });
}
