/**
 * What every node of a cluster holds, read from each node's own replica, page by page, so that no quorum and no read repair can
 * paper over a hole. The auditor takes part in the cluster as a direct client does: it follows membership, and its questions are
 * fenced by the ring like a replica's, so an inventory is of one placement or fails.
 *
 * Nodes are read one after another while the cluster may go on working: an inventory is a snapshot only of a cluster at rest.
 */
import { ArmatureError, parseClusterName, toArmatureError, toHex, unwrap, type NodeId, type Secrets } from '@armature/kernel';
import type { Bus, LinkAddress } from '@armature/bus';
import { Participant } from '@armature/coordination';
import type { View } from '@armature/membership';
import { DEFAULT_PREFIX, nodeAddress, type PullReply, type PullRequest } from '@armature/protocol';
import { RING_START, type Address } from '@armature/ring';
import { noTelemetry, silentLog, sleep, systemClock, systemRandom } from '@armature/runtime';

/** A cluster that can be looked into: `ProcessCluster` is one, and `auditableLocal` makes one of a local cluster. */
export interface Auditable {
  readonly cluster: string;
  readonly secrets: Secrets;
  /** A connection of the auditor's own; it drains it. */
  connectBus(): Promise<Bus>;
  /** Bytes of hints that wait on all nodes together for owners that were away. Rejects when a node that runs does not tell. */
  hintBytes(): Promise<number>;
}

/** Encoded version sets by address. */
export type Holdings = ReadonlyMap<Address, Uint8Array>;

export interface Inventory {
  /** The view under which it was taken. */
  readonly view: View;
  /** Of every member. */
  readonly holdings: ReadonlyMap<NodeId, Holdings>;
}

const PAGE_ENTRIES = 1_000;
const PAGE_BYTES = 1024 * 1024;
/** A node under load gives pages of a copy in slices, and may take seconds for one. */
const PAGE_TIMEOUT_MS = 15_000;
const GOSSIP_INTERVAL_MS = 10_000;
/** Beginnings, when the ring changes under the auditor's hands. */
const MAX_ATTEMPTS = 5;
const RETRY_MS = 200;

export class Auditor {
  readonly #bus: Bus;
  readonly #participant: Participant;

  private constructor(bus: Bus, participant: Participant) {
    this.#bus = bus;
    this.#participant = participant;
  }

  /** Errors: `bus-unavailable`; `no-cluster` when no node answers, or none is part of a cluster. */
  static async open(target: Auditable): Promise<Auditor> {
    const bus = await target.connectBus();
    const cluster = unwrap(parseClusterName(target.cluster));
    const random = systemRandom();
    const participant = await Participant.open(
      {
        prefix: DEFAULT_PREFIX,
        cluster,
        role: 'client',
        name: toHex(random.bytes(8)),
        secrets: target.secrets,
        seeds: [],
        gossipIntervalMs: GOSSIP_INTERVAL_MS,
      },
      { bus, clock: systemClock, random, log: silentLog, telemetry: noTelemetry, historyStore: undefined },
    );
    participant.start({}, (kind) => new ArmatureError('invalid-argument', `an auditor does not answer ${kind}`));
    const auditor = new Auditor(bus, participant);
    try {
      if ((await participant.membership.refresh()).cluster === undefined) {
        throw new ArmatureError('no-cluster', `no node on this bus knows of a cluster named ${cluster}`);
      }
      return auditor;
    } catch (thrown) {
      await auditor.close();
      throw thrown;
    }
  }

  /**
   * All that all members hold. Errors: `unreachable` or `timeout`, naming the node that does not answer; `stale-ring` when the
   * ring does not come to rest.
   */
  async inventory(): Promise<Inventory> {
    for (let attempt = 1; ; attempt++) {
      const view = await this.#participant.membership.refresh();
      try {
        const members = [...view.members.keys()];
        const holdings = await Promise.all(members.map(async (node) => [node, await this.#holdingsOf(node, view)] as const));
        return { view, holdings: new Map(holdings) };
      } catch (thrown) {
        if (toArmatureError(thrown).code !== 'stale-ring' || attempt === MAX_ATTEMPTS) throw thrown;
        await sleep(systemClock, RETRY_MS);
      }
    }
  }

  async close(): Promise<void> {
    await this.#participant.stop();
    await this.#bus.drain();
  }

  async #holdingsOf(node: NodeId, { ringVersion }: View): Promise<Holdings> {
    const held = new Map<Address, Uint8Array>();
    for (let start: PullReply['next'] = RING_START; start !== undefined;) {
      const page = await this.#pull(node, {
        kind: 'pull',
        ring: ringVersion,
        start,
        end: undefined,
        bucket: undefined,
        limit: PAGE_ENTRIES,
        limitBytes: PAGE_BYTES,
        withValues: true,
      });
      for (const { address, set } of page.entries) held.set(address, Uint8Array.from(set)); // not the whole frame
      start = page.next;
    }
    return held;
  }

  async #pull(node: NodeId, request: PullRequest): Promise<PullReply> {
    try {
      return (await this.#participant.link.request(nodeAddress(node) as LinkAddress, request, PAGE_TIMEOUT_MS)) as PullReply;
    } catch (thrown) {
      const { code, message } = toArmatureError(thrown);
      throw new ArmatureError(code, `${node} did not tell what it holds: ${message}`, { cause: thrown });
    }
  }
}

/** One inventory. Errors as `Auditor.open` and `inventory`. */
export async function takeInventory(target: Auditable): Promise<Inventory> {
  const auditor = await Auditor.open(target);
  try {
    return await auditor.inventory();
  } finally {
    await auditor.close();
  }
}
