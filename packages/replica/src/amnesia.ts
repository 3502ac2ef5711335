/**
 * A store that has forgotten some of its own events (an old copy of a disk, a write that was acknowledged too early) would make
 * their dots a second time. Others may still know them: a peer by a set that it brings, a client by a context that it has read.
 * Where one of them counts more of our events than the store does, the actor is retired, and its dots stay the only ones.
 */
import { isAmnesiac, withDot, type ActorId, type CausalContext, type VersionSet, type VersionVector } from '@armature/versioning';
import type { Epoch } from './actor-epoch.js';

/** Looks at what a peer brings of a key. */
export function checkMemory(epoch: Epoch, incoming: VersionSet, localClock: VersionVector): void {
  if (epoch.current === undefined || !isAmnesiac({ clock: localClock }, epoch.current, incoming.clock, epoch.floor)) return;
  epoch.retire('a peer knows more of our writes than we do: this store has lost some');
}

/** The actor to mint under, unless the context shows that this store has forgotten some of its events. */
export function actorFor(epoch: Epoch, local: VersionSet, context: CausalContext): ActorId | undefined {
  const actor = epoch.current;
  const seen = context.own === undefined ? context.clock : withDot(context.clock, context.own);
  if (actor === undefined || !isAmnesiac(local, actor, seen, epoch.floor)) return actor;
  epoch.retire('a client has read more of our writes than we hold: this store has lost some');
  return undefined;
}
