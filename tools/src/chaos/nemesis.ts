/**
 * Does to a cluster of real processes what the schedule says, each fault in its time and lifted in its time, and waits until what
 * it befell has recovered. Whatever it broke it brings back: when `run` resolves, every process that should run does, and no
 * change of membership is under way.
 *
 * A fault whose target has not recovered from its last one is left out, and noted: the world is slower than the schedule thought.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { toArmatureError, unwrap, type NodeId } from '@armature/kernel';
import type { LinkAddress } from '@armature/bus';
import type { Client } from '@armature/client';
import { foldHistory, History } from '@armature/membership';
import { nodeAddress } from '@armature/protocol';
import type { MemberProcess } from '../../lib/member-process.mjs';
import type { Workload } from '../audit/workload.js';
import type { ProcessCluster } from '../process-cluster.js';
import type { ChaosFault } from './schedule.js';
import type { FaultRecord } from './timeline.js';

/** For a process to come back, or a change of membership to be carried through while other faults go on. */
const RECOVERY_LIMIT_MS = 300_000;
const POLL_MS = 250;
/** A second process of a name finds out within seconds; while other faults go on, later. */
const DOUBLE_LIMIT_MS = 60_000;
/** How a process ends that may not have its name, and one that finds no NATS server. */
const REFUSED = 'exit code 1';
const NO_NATS = 'exit code 3';
/** What a node whose clock is wrong says of itself. */
const CLOCK_NOTE = 'clock of this machine';

export interface NemesisEnv {
  readonly cluster: ProcessCluster;
  /** For changes of membership. */
  readonly client: Client;
  readonly workload: Workload;
  /** Ms since the load began. */
  nowMs(): number;
  /** Ends everything early: what is under way rejects, and nothing more is begun. */
  readonly signal: AbortSignal;
  /** Told when a fault begins. */
  onFault(fault: ChaosFault): void;
}

interface Moments {
  liftedMs?: number;
  recoveredMs?: number;
}

export class ChaosNemesis {
  readonly #env: NemesisEnv;
  readonly #records: FaultRecord[] = [];
  readonly #busy = new Set<string>();

  constructor(env: NemesisEnv) {
    this.#env = env;
  }

  /** In order of time; complete when `run` has ended. */
  get records(): readonly FaultRecord[] {
    return this.#records.toSorted((a, b) => a.number - b.number);
  }

  /**
   * Resolves when the last fault has been lifted and has recovered, or has been given up. Rejects when the signal aborts, with
   * nothing under way any more.
   */
  async run(schedule: readonly ChaosFault[]): Promise<void> {
    const { signal } = this.#env;
    const underWay: Promise<void>[] = [];
    try {
      for (const [place, fault] of schedule.entries()) {
        await delay(Math.max(0, fault.atMs - this.#env.nowMs()), undefined, { signal });
        underWay.push(this.#inflict(fault, place + 1));
      }
    } finally {
      await Promise.all(underWay);
    }
    signal.throwIfAborted();
  }

  /** Never rejects: what goes wrong is in the record. */
  async #inflict(fault: ChaosFault, number: number): Promise<void> {
    const { target } = fault;
    const beganMs = this.#env.nowMs();
    if (this.#busy.has(target)) {
      const problem = `${target} has not recovered from its last fault`;
      this.#records.push({ ...fault, number, beganMs, liftedMs: undefined, recoveredMs: undefined, problem, skipped: true });
      return;
    }
    this.#busy.add(target);
    this.#env.onFault(fault);
    const moments: Moments = {};
    let problem = '';
    try {
      await this.#carryOut(fault, moments);
      this.#busy.delete(target);
    } catch (thrown) {
      problem = toArmatureError(thrown).message; // the target stays busy: nobody knows what state it is in
    }
    const { liftedMs, recoveredMs } = moments;
    this.#records.push({ ...fault, number, beganMs, liftedMs, recoveredMs, problem, skipped: false });
  }

  async #carryOut({ kind, target, lastMs, aheadMs = 0, data = 'empty' }: ChaosFault, moments: Moments): Promise<void> {
    const { cluster, client, workload, signal } = this.#env;
    const lifted = (): void => void (moments.liftedMs = this.#env.nowMs());
    const lasts = (): Promise<void> => delay(lastMs, undefined, { signal });
    switch (kind) {
      case 'kill':
        await cluster.kill(target);
        await lasts();
        lifted();
        await this.#persist(() => cluster.revive(target));
        break;
      case 'pause':
        cluster.pause(target);
        await lasts().finally(() => cluster.resume(target));
        lifted();
        await this.#persist(() => cluster.revive(target));
        break;
      case 'nats-restart':
        await cluster.killNats();
        await lasts();
        await this.#persist(() => cluster.startNats());
        lifted();
        await this.#persist(() => workload.untilAcknowledged(1));
        break;
      case 'join':
        await this.#persist(async () => {
          if (!cluster.isRunning(target)) await cluster.launch('node', target);
          await cluster.untilAnswering(target);
        });
        lifted();
        await this.#persist(async () => {
          if (!(await this.#isMember(target))) await client.admin.join(target);
        });
        await this.#until(async () => {
          const { status } = await client.admin.member(target as NodeId);
          return status?.ready === true && status.pendingPartitions === 0 && (await this.#isMember(target));
        });
        break;
      case 'leave':
        lifted();
        await this.#persist(async () => {
          if (await this.#isMember(target)) await client.admin.leave(target);
        });
        await this.#until(() => this.#hasLeft(target));
        await cluster.terminate(target);
        break;
      case 'clock':
        cluster.setClock(target, aheadMs);
        await this.#saysThatItsClockIsWrong(target)
          .then(lasts)
          .finally(() => cluster.setClock(target, 0));
        lifted();
        await this.#persist(() => cluster.untilReady(target));
        break;
      case 'name-clash':
        await this.#secondIsRefused(target, data);
        lifted();
        if (!cluster.isRunning(target)) throw new Error(`${target} ended because of a second process of its name`);
        await this.#persist(() => cluster.untilReady(target));
        break;
    }
    moments.recoveredMs = this.#env.nowMs();
  }

  #saysThatItsClockIsWrong(node: string): Promise<void> {
    const { cluster } = this.#env;
    return this.#until(async () => (await cluster.notes(node)).some((note) => note.includes(CLOCK_NOTE)));
  }

  /** Resolves when a second process has been refused. One that has met no NATS has asked nobody, and is started once more. */
  async #secondIsRefused(name: string, data: 'empty' | 'copied'): Promise<void> {
    for (;;) {
      const how = await this.#endOf(this.#env.cluster.launchDouble(name, data));
      if (how === REFUSED) return;
      if (how !== NO_NATS) throw new Error(`a second process was not refused the name ${name}: ${how}`);
    }
  }

  /** How it ended by itself; it is killed if it does not. */
  async #endOf({ exited, stop }: MemberProcess): Promise<string> {
    const patience = new AbortController();
    const signal = AbortSignal.any([this.#env.signal, patience.signal]);
    try {
      return await Promise.race([exited, delay(DOUBLE_LIMIT_MS, 'it goes on', { signal })]);
    } finally {
      patience.abort();
      await stop(0);
    }
  }

  async #isMember(node: string): Promise<boolean> {
    return (await this.#env.client.admin.view()).members.has(node as NodeId);
  }

  /** By its own account: only a node itself states that it has left, and others may be behind. */
  async #hasLeft(node: string): Promise<boolean> {
    const records = await this.#env.client.admin.history(nodeAddress(node as NodeId) as LinkAddress);
    return !foldHistory(unwrap(History.empty.merge(records)).history).members.has(node as NodeId);
  }

  /** Tries until it works: while other faults are under way, most things fail now and then. */
  #persist(attempt: () => Promise<unknown>): Promise<void> {
    return this.#until(() => attempt().then(() => true));
  }

  async #until(isSo: () => Promise<boolean>): Promise<void> {
    const { signal } = this.#env;
    const limitMs = this.#env.nowMs() + RECOVERY_LIMIT_MS;
    for (;;) {
      signal.throwIfAborted();
      let problem = 'it did not come about';
      try {
        if (await isSo()) return;
      } catch (thrown) {
        problem = toArmatureError(thrown).message;
      }
      if (this.#env.nowMs() > limitMs) throw new Error(`not recovered after ${RECOVERY_LIMIT_MS / 1000} s: ${problem}`);
      await delay(POLL_MS, undefined, { signal });
    }
  }
}
