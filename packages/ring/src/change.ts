/**
 * How a ring comes about: from an empty one, change by change, or formed at once from a first set of members.
 *
 * Every function here is pure and total: the same ring and change give the same ring everywhere, and a change that has no object
 * (a leave of somebody unknown, a join of somebody already there) is no error, because concurrent administrators at different
 * nodes may well issue both, and everybody must fold the merged history to its end. What a change can be wrong in, the weight, is
 * asserted: it is checked where the change is made (`isWeight`), not at each of the nodes that replay it.
 */
import { assert, type NodeId, unreachable, unwrap, type ZoneName } from '@armature/kernel';
import { checkRingSettings, isWeight, type Ring, type RingMember, type RingSettings } from './ring.js';
import { tokenRing } from './strategy-1.js';
import { orderedTokenRing } from './strategy-2.js';
import { claimedRing, formedRing, renamedRing } from './strategy-3.js';

/**
 * A ring without members: every preference list is empty. Throws `invalid-config` on settings that `checkRingSettings` refuses.
 */
export function emptyRing(settings: RingSettings): Ring {
  return formRing(settings, []);
}

/**
 * A ring of these members at once, spread as evenly as can be. Of members of equal name the last counts. Not the same ring as the
 * members joining one by one would give; what it is the same as, is itself on every node.
 */
export function formRing(settings: RingSettings, members: readonly RingMember[]): Ring {
  const checked = unwrap(checkRingSettings(settings));
  const byName = [...new Map(members.map((member) => [member.node, member])).values()];
  return remade(checked, sorted(byName), (all) => formedRing(checked, all));
}

/** The ring with one more member. One that is there already gets the new weight and zone. */
export function ringJoin(ring: Ring, member: RingMember): Ring {
  const present = ring.members.find(({ node }) => node === member.node);
  if (present?.weight === member.weight && present.zone === member.zone) return ring;
  return changed(ring, [...without(ring, member.node), member], `join/${member.node}`);
}

/** The ring without a member; itself, if there is no such member. */
export function ringLeave(ring: Ring, node: NodeId): Ring {
  const rest = without(ring, node);
  return rest.length === ring.members.length ? ring : changed(ring, rest, `leave/${node}`);
}

/** The ring with another weight for a member; itself, if there is no such member. */
export function ringReweigh(ring: Ring, node: NodeId, weight: number): Ring {
  const member = ring.members.find((candidate) => candidate.node === node);
  return member === undefined ? ring : ringJoin(ring, { ...member, weight });
}

/** The ring with a member moved to another zone; itself, if there is no such member. */
export function ringRezone(ring: Ring, node: NodeId, zone: ZoneName): Ring {
  const member = ring.members.find((candidate) => candidate.node === node);
  return member === undefined ? ring : ringJoin(ring, { ...member, zone });
}

/**
 * The ring in which `successor` has the place of `node`. Under strategy 3 it gets exactly the partitions of `node`, whatever its
 * weight, and no other moves; the next change spreads by weight again. Under strategies 1 and 2 tokens come from names, so it is
 * a leave and a join. The ring itself, if there is no such node, or the successor is a member already.
 */
export function ringReplace(ring: Ring, node: NodeId, successor: RingMember): Ring {
  const rest = without(ring, node);
  if (rest.length === ring.members.length || ring.members.some((member) => member.node === successor.node)) return ring;
  const nameOf = (owner: NodeId): NodeId => (owner === node ? successor.node : owner);
  return remade(ring.settings, sorted([...rest, successor]), (all) => renamedRing(ring, all, nameOf));
}

function changed(ring: Ring, members: readonly RingMember[], occasion: string): Ring {
  return remade(ring.settings, sorted(members), (all) => claimedRing(ring, all, occasion));
}

/** Strategies 1 and 2 know no history: their rings are made from the members alone. */
function remade(
  settings: RingSettings,
  members: readonly RingMember[],
  assigned: (members: readonly RingMember[]) => Ring,
): Ring {
  for (const { weight } of members) assert(isWeight(weight), 'weights are checked where the change is made');
  switch (settings.strategy) {
    case 1:
      return tokenRing(settings, members);
    case 2:
      return orderedTokenRing(settings, members);
    case 3:
      return assigned(members);
    default:
      return unreachable(settings.strategy);
  }
}

function without(ring: Ring, node: NodeId): RingMember[] {
  return ring.members.filter((member) => member.node !== node);
}

function sorted(members: readonly RingMember[]): readonly RingMember[] {
  return [...members].sort((a, b) => (a.node < b.node ? -1 : 1));
}
