/**
 * Gossip: two processes reconcile their histories (paper, sections 4.8.1 and 4.8.2).
 *
 * An exchange is push-pull and at most two round trips. First only the fingerprint goes out; nearly always it comes back the
 * same, and that was all. Otherwise the answer carries the other's whole history, and what it lacks of ours goes out in a second
 * request. Both then have the union, unless more has happened meanwhile, which the next exchange brings.
 *
 * Records never travel without the `create` of their cluster, which is what a receiver knows them by: records of another cluster
 * of the same name are refused, however few they are.
 *
 * Whom to gossip with: a random one of the members and the seeds. The seeds are asked even when they are no members, so that two
 * halves of a cluster that have forgotten one another (section 4.8.2's "logical partition") meet there.
 */
import { ArmatureError, pick, type NodeId, type Random } from '@armature/kernel';
import { nodeAddress, type ChangeRecord, type ClearingCount, type GossipReply, type GossipRequest } from '@armature/protocol';
import type { History } from './history.js';
import type { View } from './view.js';

/** An answer that takes longer than this is no answer: two rounds of gossip at the default interval. */
const GOSSIP_TIMEOUT_MS = 2_000;

export interface GossipTransport {
  /** Rejects with `timeout`, `unreachable`, or what the peer answered with. */
  gossip(address: string, request: GossipRequest, timeoutMs: number): Promise<GossipReply>;
  /** Tells whoever listens that our history now has this fingerprint. Best effort. */
  announce(fingerprint: string): void;
  /**
   * The link address of some node of this cluster that is up, or undefined when none answers. Rejects where those that answer are
   * of another one.
   */
  discover(): Promise<string | undefined>;
}

/** What a node keeps, besides the history, of how often members have cleared something for reaping. It travels with gossip. */
export interface ClearingExchange {
  /** By tenure, each once. */
  readonly known: readonly ClearingCount[];
  /** What a peer lacks that knows these. */
  beyond(told: readonly ClearingCount[]): readonly ClearingCount[];
  /** A peer knows these. */
  heard(counts: readonly ClearingCount[]): void;
}

/** What an exchange needs of the one who runs it. */
export interface Party {
  history(): History;
  view(): View;
  /** Takes records into the history. Rejects when they do not belong there or cannot be kept. */
  absorb(records: readonly ChangeRecord[]): Promise<void>;
  /** Undefined for those who keep no such counts: routers, workers, clients. */
  readonly clearings: ClearingExchange | undefined;
}

/** Reconciles with the process at `address`. Resolves with whether the two histories differed. */
export async function exchange(party: Party, transport: GossipTransport, address: string): Promise<boolean> {
  const ours = party.history().fingerprint;
  const { clearings } = party;
  const counts = clearings === undefined ? {} : { clearings: clearings.known };
  const reply = await transport.gossip(address, { kind: 'gossip', fingerprint: ours, records: [], ...counts }, GOSSIP_TIMEOUT_MS);
  const differs = reply.fingerprint !== ours;
  if (differs) await party.absorb(reply.records);
  // After the records, by which it is known whose counts they are.
  if (reply.clearings !== undefined) clearings?.heard(reply.clearings);
  if (!differs) return false;
  const theirs = new Set(reply.records.map((record) => record.id));
  const history = party.history();
  const missing = history.records.filter((record) => !theirs.has(record.id));
  if (missing.length > 0) {
    const answer = await transport.gossip(address, parcel(history, missing), GOSSIP_TIMEOUT_MS);
    await party.absorb(answer.records);
  }
  return true;
}

/** Some records of a history, as they may travel. */
export function parcel(history: History, records: readonly ChangeRecord[]): GossipRequest {
  const creates = history.records.filter((record) => record.change.kind === 'create' && !records.includes(record));
  return { kind: 'gossip', fingerprint: history.fingerprint, records: [...creates, ...records] };
}

/** The other side of an exchange. */
export async function answer(party: Party, request: GossipRequest): Promise<GossipReply> {
  const { records: given } = request;
  if (given.length > 0 && !given.some((record) => record.change.kind === 'create')) throw anonymous();
  await party.absorb(request.records);
  const { fingerprint, records } = party.history();
  const reply = { kind: 'gossip', fingerprint, records: fingerprint === request.fingerprint ? [] : records } as const;
  const { clearings } = party;
  if (request.clearings === undefined || clearings === undefined) return reply;
  clearings.heard(request.clearings);
  return { ...reply, clearings: clearings.beyond(request.clearings) };
}

/** Addresses to gossip with: every member and seed but ourselves. */
export function peersOf(view: View, seeds: readonly string[], selfAddress: string): string[] {
  const members = [...view.members.keys()].map((node: NodeId) => nodeAddress(node));
  return [...new Set([...members, ...seeds])].filter((address) => address !== selfAddress);
}

/** A random peer, or whatever discovery finds when none is known. */
export async function choosePeer(
  peers: readonly string[],
  transport: GossipTransport,
  random: Random,
  selfAddress: string,
): Promise<string | undefined> {
  const peer = pick(random, peers);
  if (peer !== undefined) return peer;
  const found = await transport.discover();
  return found === selfAddress ? undefined : found;
}

function anonymous(): ArmatureError {
  return new ArmatureError('wrong-cluster', 'change records came without the record that created their cluster', {
    remedy: 'Upgrade the process that sent them: it speaks an older form of gossip.',
  });
}
