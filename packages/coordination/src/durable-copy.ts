/**
 * The driver of the durable copy of a put in a buffered bucket: gives the duty to one replica after the other until one has
 * fulfilled it.
 *
 * The first to have it is given its copy with the others, so with all well the durable copy costs no message and no wait. Whoever
 * gets the duty later may have its copy already, in memory, and is asked for it again. None of this keeps the put's answer
 * waiting, and it goes on after it.
 */
import { toArmatureError, type NodeId } from '@armature/kernel';
import { transferTimeMs } from '@armature/protocol';
import type { AlarmWheel, Logger } from '@armature/runtime';
import { dutyAnswered, dutyHolder, startDuty, type DurableDuty } from './durable-duty.js';

/**
 * How long one replica may take, ms: much longer than an fsync under load, and short, because until somebody has written it down
 * the put lives in memory only. A large put gets the time in addition that its bytes may take.
 */
const PATIENCE_MS = 1_000;

export interface DurableCopyEnv {
  readonly self: NodeId;
  readonly owners: readonly NodeId[];
  readonly down: readonly NodeId[];
  /** Has the node, maybe this one, make its copy durable; whether it is. Rejects when it cannot. */
  readonly make: (node: NodeId) => Promise<boolean>;
  /** The node's copy is durable, though it was not asked for that at first. */
  readonly made: (node: NodeId) => void;
  /** Nobody could. */
  readonly missing: () => void;
  /** What is to be made durable, in bytes. */
  readonly sizeBytes: number;
  readonly alarms: AlarmWheel;
  readonly log: Logger;
}

export class DurableCopy {
  readonly #env: DurableCopyEnv;
  #duty: DurableDuty;

  constructor(env: DurableCopyEnv) {
    this.#env = env;
    this.#duty = startDuty(env.owners, env.self, env.down);
    // The minting node has its copy from the start.
    if (this.holder === env.self) this.#ask(env.self);
  }

  /** Who has the duty now; undefined when it is fulfilled, or nobody could. */
  get holder(): NodeId | undefined {
    return dutyHolder(this.#duty);
  }

  /** The node that has the duty has been asked to make its copy durable. */
  watch(node: NodeId, asked: Promise<boolean>): void {
    // The minting node is the last: there is nobody to pass the duty on to.
    const { self, alarms, sizeBytes } = this.#env;
    const patienceMs = PATIENCE_MS + transferTimeMs(sizeBytes);
    const patience = node === self ? undefined : alarms.set(patienceMs, () => this.#answered(node, false));
    const answered = (isDurable: boolean): void => {
      patience?.cancel();
      this.#answered(node, isDurable);
    };
    asked.then(answered, (thrown: unknown) => {
      this.#env.log.debug({ node, err: toArmatureError(thrown) }, 'a durable copy was not made');
      answered(false);
    });
  }

  #ask(node: NodeId): void {
    const asked = this.#env.make(node);
    asked.then(
      (isDurable) => isDurable && this.#env.made(node),
      () => undefined,
    );
    this.watch(node, asked);
  }

  #answered(node: NodeId, isDurable: boolean): void {
    const before = this.#duty;
    this.#duty = dutyAnswered(before, node, isDurable);
    const { holder } = this;
    if (holder !== undefined && holder !== dutyHolder(before)) this.#ask(holder);
    else if (holder === undefined && !this.#duty.done && !before.done && this.#duty !== before) this.#env.missing();
  }
}
