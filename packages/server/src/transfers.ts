/**
 * The moving of data as a node takes part in it (paper, section 4.9): it fills partitions that it is to own, gives up data that
 * it does not own any more, and tells how far it is. What is asked of it by others for their transfers is answered in
 * `synchronisation.ts`.
 */
import type { NodeId } from '@armature/kernel';
import type { LinkAddress } from '@armature/bus';
import type { Participant } from '@armature/coordination';
import {
  nodeAddress,
  type GossipReply,
  type ReplyTo,
  type SynchronisationRequest,
  type TransferStatus,
} from '@armature/protocol';
import { Filler, Relinquisher, TransferLedger, TransferPace, type LocalShare, type TreeKeeper } from '@armature/repair';
import type { Replica, TakeSlice } from '@armature/replica';
import type { Clock, Logger, Telemetry } from '@armature/runtime';

export interface TransferOptions {
  /** Partitions copied at a time; 2 by default. */
  readonly transfersAtOnce?: number;
  /** Bytes of records that transfers of this node may move per second, in and out together; no limit by default. */
  readonly transferBytesPerSecond?: number | undefined;
}

export interface TransfersEnv {
  readonly node: NodeId;
  readonly options: TransferOptions;
  readonly participant: Participant;
  readonly replica: Replica;
  readonly share: LocalShare;
  readonly trees: TreeKeeper;
  /** Resolves when everything written before is on stable storage. */
  readonly sync: () => Promise<void>;
  readonly ask: <Q extends SynchronisationRequest>(peer: NodeId, request: Q, timeoutMs: number) => Promise<ReplyTo<Q>>;
  /** See `FillerEnv`. */
  readonly isOwnStore: () => boolean;
  readonly slice: TakeSlice;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

const DEFAULT_TRANSFERS_AT_ONCE = 2;
const GOSSIP_TIMEOUT_MS = 2_000;

export class Transfers {
  readonly #env: TransfersEnv;
  readonly #ledger: TransferLedger;
  readonly #pace: TransferPace;
  readonly #filler: Filler;
  readonly #relinquisher: Relinquisher;

  constructor(env: TransfersEnv) {
    this.#env = env;
    const { node, options, participant, replica, share, trees, ask, isOwnStore, slice, clock, log, telemetry } = env;
    const { membership, monitor } = participant;
    const view = (): typeof membership.view => membership.view;
    const isSuspect = (peer: NodeId): boolean => monitor.isSuspect(peer);
    const ledger = new TransferLedger(clock, telemetry, () => this.#pendingPartitions);
    const pace = new TransferPace(clock, options.transferBytesPerSecond);
    const shared = { node, view, ask, isSuspect, isOwnStore, local: share, replica, slice, pace, ledger, clock, log };
    this.#ledger = ledger;
    this.#pace = pace;
    this.#relinquisher = new Relinquisher({ ...shared, trees });
    this.#filler = new Filler({
      ...shared,
      atOnce: options.transfersAtOnce ?? DEFAULT_TRANSFERS_AT_ONCE,
      catchUp: (peer) => this.#catchUp(peer),
      sync: env.sync,
      dropsEnded: () => this.#relinquisher.dropsEnded(),
      declareReady: (change, partitions) => membership.declareReady(change, partitions),
    });
  }

  /** Looks what there is to move. Call it at the start and at every change of the view. */
  follow(): void {
    this.#filler.wake();
    this.#relinquisher.wake();
  }

  /** Whether nothing is held here that is others'. */
  get isClear(): boolean {
    return this.#relinquisher.isClear;
  }

  get status(): TransferStatus {
    return this.#ledger.status(this.#pendingPartitions, this.isClear);
  }

  stop(): void {
    this.#filler.stop();
    this.#relinquisher.stop();
    this.#pace.stop();
  }

  get #pendingPartitions(): number {
    return this.#env.participant.membership.view.pendingFor(this.#env.node).length;
  }

  /** Takes in what this very peer knows of membership; a refresh, which others may share, would ask anybody. */
  async #catchUp(peer: NodeId): Promise<void> {
    const { membership, link } = this.#env.participant;
    const { fingerprint } = membership.view;
    const question = { kind: 'gossip', fingerprint, records: [] } as const;
    const reply = (await link.request(nodeAddress(peer) as LinkAddress, question, GOSSIP_TIMEOUT_MS)) as GossipReply;
    if (reply.fingerprint !== fingerprint) await membership.answerGossip({ kind: 'gossip', fingerprint, records: reply.records });
  }
}
