/**
 * Subjects: where on the bus the parts of a cluster listen. Everything is under `<prefix>.<cluster>`; user keys and bucket
 * names never become subject tokens, except on the plain API, where the caller chose to put them there.
 *
 *   <prefix>.<cluster>.link.node.<name>       frames for a node             (see bus/link)
 *   <prefix>.<cluster>.link.router.<name>     frames for a router
 *   <prefix>.<cluster>.link.client.<random>   frames for a client that holds the secret; `client.<group>.<random>` where clients have groups
 *   <prefix>.<cluster>.link.front.<bucket>.<right>.<role>.<name>   frames of applications for a router or a node (see front.ts)
 *   <prefix>.<cluster>.link.guest.<random>    frames for an application; `guest.<group>.<random>` where there are groups
 *   <prefix>.<cluster>.announce               "my history now has fingerprint F": nodes, routers, direct clients
 *   <prefix>.<cluster>.discover.node|router|newcomer   queue groups that answer with the address of one of them; newcomers
 *                                             are nodes that know of no cluster yet
 *   <prefix>.<cluster>.inbox.<link address>.<n>  answers to a question that a process has asked of nobody in particular
 *   <prefix>.<cluster>.presence           "who has another secret?": nodes, routers, workers, all of which answer to it
 *   <prefix>.<cluster>.presence.<role>.<name>   "who has this name?", and that somebody has it, every five seconds
 *   <prefix>.<cluster>.workers                what an administrator says to all anti-entropy workers: `status`, `pause`, `resume`
 *   <prefix>.<cluster>.api.*                  the plain request API of the router tier (docs/protocol.md)
 */
import type { ClusterName, NodeId } from '@armature/kernel';

export const DEFAULT_PREFIX = 'armature';

export type LinkRole = 'node' | 'router' | 'client';

export type DiscoverableRole = 'node' | 'router' | 'newcomer';

export interface Subjects {
  readonly announce: string;
  discover(role: DiscoverableRole): string;
  readonly workers: string;
  /** Where the frames of all front doors of the process at that link address come. */
  fronts(address: string): string;
  /** What reply subjects of the process at that link address begin with. */
  inbox(address: string): string;
  readonly presence: string;
  /** Of the process of this role and name, e.g. `node.n1`. */
  presenceOf(address: string): string;
  /** `suffix` in subject tokens, e.g. `get` or `get.>`. */
  api(suffix: string): string;
}

export function subjectsOf(prefix: string, cluster: ClusterName): Subjects {
  const root = `${prefix}.${cluster}`;
  return {
    announce: `${root}.announce`,
    workers: `${root}.workers`,
    fronts: (address) => `${root}.link.front.*.*.${address}`,
    inbox: (address) => `${root}.inbox.${address}`,
    presence: `${root}.presence`,
    presenceOf: (address) => `${root}.presence.${address}`,
    discover: (role) => `${root}.discover.${role}`,
    api: (suffix) => `${root}.api.${suffix}`,
  };
}

/** The link address of a node: its role and name. */
export function nodeAddress(node: NodeId): string {
  return `node.${node}`;
}

/** The node behind a link address, or undefined for routers and clients. */
export function nodeOfAddress(address: string): NodeId | undefined {
  return address.startsWith('node.') ? (address.slice(5) as NodeId) : undefined;
}
