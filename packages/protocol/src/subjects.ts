/**
 * Subjects: where on the bus the parts of a cluster listen. Everything is under `<prefix>.<cluster>`; user keys and bucket
 * names never become subject tokens, except on the plain API, where the caller chose to put them there.
 *
 * What each is for, and who speaks and listens there, stands in subject-table.ts.
 */
import type { ClusterName, NodeId } from '@armature/kernel';
import { adminAddress } from './administration.js';

export const DEFAULT_PREFIX = 'armature';

export type LinkRole = 'node' | 'router' | 'client';

export type DiscoverableRole = 'node' | 'router' | 'newcomer';

export interface Subjects {
  readonly announce: string;
  discover(role: DiscoverableRole): string;
  readonly workers: string;
  /** Where the frames of all front doors of the process at that link address come. */
  fronts(address: string): string;
  /** Where the frames of its door of administration come. */
  admin(address: string): string;
  /** What reply subjects of the process at that link address begin with. */
  inbox(address: string): string;
  readonly presence: string;
  /** Of the process of this role and name, e.g. `node.n1`. */
  presenceOf(address: string): string;
  /** Where a process of this role and name answers with its status, e.g. `node.n1`. */
  status(address: string): string;
  /** `suffix` in subject tokens, e.g. `get` or `get.>`. */
  api(suffix: string): string;
}

export function subjectsOf(prefix: string, cluster: ClusterName): Subjects {
  const root = `${prefix}.${cluster}`;
  return {
    announce: `${root}.announce`,
    workers: `${root}.workers`,
    fronts: (address) => `${root}.link.front.*.*.${address}`,
    admin: (address) => `${root}.link.${adminAddress(address)}`,
    inbox: (address) => `${root}.inbox.${address}`,
    presence: `${root}.presence`,
    presenceOf: (address) => `${root}.presence.${address}`,
    status: (address) => `${root}.status.${address}`,
    discover: (role) => `${root}.discover.${role}`,
    api: (suffix) => `${root}.api.${suffix}`,
  };
}

/** Whether somebody at this link address is served at a door, and takes no part in what members say to each other. */
export function isGuest(address: string): boolean {
  return address.startsWith('guest.');
}

/** The link address of a node: its role and name. */
export function nodeAddress(node: NodeId): string {
  return `node.${node}`;
}

/** The node behind a link address, or undefined for routers and clients. */
export function nodeOfAddress(address: string): NodeId | undefined {
  return address.startsWith('node.') ? (address.slice(5) as NodeId) : undefined;
}
