/**
 * The ring fence: replica requests are answered only between peers with the same ring, or with a receiver that is merely behind.
 *
 * Why a sender that is behind must be refused: it may write to old owners only, after the new owner has copied from them and before it flips, and the
 * write would be acknowledged and then left out. Why a receiver that is behind may answer reads and merges: the sender, who knows
 * more, has chosen it for what it will be; merging never harms. It may not answer `pull`, because only an owner that knows of the change
 * already refuses the writes of those who do not.
 */
import { ArmatureError } from '@armature/kernel';
import type { Membership, View } from '@armature/membership';
import type { RingVersion } from '@armature/protocol';

/** Throws `stale-ring` unless the request may be answered under `view`; starts catching up when it is we who are behind. */
export function fenceByRing(membership: Membership, view: View, ring: RingVersion, behindIsFine: boolean): void {
  if (ring === view.ringVersion) return;
  const senderIsBehind = view.isPastRing(ring);
  if (!senderIsBehind) void membership.refresh().catch(() => undefined); // a failure to refresh is logged there, and gossip goes on
  if (!senderIsBehind && behindIsFine) return;
  throw new ArmatureError(
    'stale-ring',
    senderIsBehind ? 'the sender has an older ring' : 'this node has an older ring than the sender',
    {
      details: { ring: view.ringVersion },
    },
  );
}
