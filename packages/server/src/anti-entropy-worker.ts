/**
 * A worker: walks all partitions, over and over, and has every pair of their replicas exchange (paper, section 4.7), at a pace at
 * which one sweep takes a cycle. The data never comes through here; a node that is asked runs the exchange with its peer itself.
 *
 * Workers know nothing of one another. Each takes the partitions in an order of its own, and nodes refuse more exchanges than
 * they can run. Everything they know is lost when they end, and nothing is: the next sweep finds what still differs. Beside the
 * sweeps, it has tombstones looked for that nobody needs any more (`reap-cycle.ts`).
 */
import { ArmatureError, toArmatureError, toHex, utf8Encode, type ClusterName, type Secrets } from '@armature/kernel';
import { linkAddress, type BusSubscription, type LinkAddress, type RunningService } from '@armature/bus';
import { Participant } from '@armature/coordination';
import {
  WORKER_GROUP,
  nodeAddress,
  type AdministrationRequest,
  type ExchangeReply,
  type WorkerCommand,
  type WorkerReply,
  type WorkerStatus,
} from '@armature/protocol';
import {
  NOTHING_SWEPT,
  addTallies,
  pairsOf,
  progressOf,
  roundsOf,
  runSweep,
  type Pair,
  type PairResult,
  type Sweep,
  type SweepLimits,
  type SweepTally,
} from '@armature/repair';
import type { Access } from '@armature/rights';
import type { Counter } from '@armature/runtime';
import { AdminDoor } from './admin-door.js';
import { busNotes } from './bus-notes.js';
import { ReapCycle } from './reap-cycle.js';
import type { Presence } from './presence.js';
import { RemoteCommands } from './remote-commands.js';
import type { Origin, ServerPorts } from './server-options.js';
import { claimName, describeService } from './service.js';

export interface AntiEntropyOptions {
  /** Unique among the workers. */
  readonly name: string;
  readonly prefix: string;
  readonly cluster: ClusterName;
  /** The cluster's secret, or two while it is being changed: its membership is told to whoever holds it. */
  readonly secrets: Secrets;
  readonly seeds: readonly LinkAddress[];
  readonly gossipIntervalMs: number;
  /** For one sweep. */
  readonly cycleMs: number;
  /** See `ServerOptions`. */
  readonly origin?: Origin;
  readonly onNameLost?: (error: ArmatureError) => void;
  /** For one pass over all partitions for tombstones and clocks; ten minutes by default. */
  readonly reapCycleMs?: number;
}

/** Gentle: a node is in one exchange of ours at a time. */
const LIMITS: SweepLimits = { atOnce: 2, perNode: 1, attempts: 5, retryMs: 2_000 };
const DEFAULT_REAP_CYCLE_MS = 600_000;
/** A node ends a run of its own accord after about half of that. */
const EXCHANGE_TIMEOUT_MS = 40_000;
/** While there is no cluster, or no partition with two replicas. */
const LOOK_AGAIN_MS = 1_000;

export class AntiEntropyWorker {
  readonly #options: AntiEntropyOptions;
  readonly #ports: ServerPorts;
  readonly #participant: Participant;
  readonly #presence: Presence;
  readonly #outcomes: Readonly<Record<ExchangeReply['outcome'] | 'refused', Counter>>;
  readonly #sweepsDone: Counter;
  readonly #rollCalls: BusSubscription;
  readonly #admin: AdminDoor;
  readonly #reaping: ReapCycle;
  #service: RunningService | undefined;
  #tally: SweepTally = NOTHING_SWEPT;
  #sweep: Sweep | undefined;
  #sweeps = 0;
  #paused = false;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  /** Ends the present rest early; undefined while not resting. */
  #wakeUp: (() => void) | undefined;

  private constructor(options: AntiEntropyOptions, ports: ServerPorts, participant: Participant, presence: Presence) {
    this.#options = options;
    this.#presence = presence;
    this.#ports = ports;
    this.#participant = participant;
    const { bus, telemetry } = ports;
    const exchanges = (outcome: string): Counter =>
      telemetry.counter('armature_worker_exchanges_total', 'Exchanges that this worker asked for.', { outcome });
    this.#outcomes = {
      equal: exchanges('equal'),
      repaired: exchanges('repaired'),
      partial: exchanges('partial'),
      failed: exchanges('failed'),
      refused: exchanges('refused'),
    };
    this.#sweepsDone = telemetry.counter('armature_worker_sweeps_total', 'Sweeps over all partitions that were finished.');
    telemetry.observedGauge('armature_worker_sweep_progress', 'Share of the present sweep that is done.', () => this.#progress);
    telemetry.observedGauge('armature_worker_paused', '1 while an administrator has it paused.', () => (this.#paused ? 1 : 0));
    this.#reaping = new ReapCycle({
      participant,
      cycleMs: options.reapCycleMs ?? DEFAULT_REAP_CYCLE_MS,
      sweeps: () => this.#sweeps,
      isPaused: () => this.#paused,
      clock: ports.clock,
      log: ports.log,
      telemetry,
    });
    const address = linkAddress('anti-entropy', options.name);
    this.#rollCalls = bus.subscribe(participant.subjects.workers, (message) => void message.respond(utf8Encode(address)));
    const commands = new RemoteCommands(participant, ports);
    this.#admin = new AdminDoor({
      ...{ ...ports, ...options, server: address, membership: participant.membership },
      answer: (request) => this.#answer(request),
      keep: (command) => commands.keep(command),
    });
  }

  /** Begins at once; waits for a cluster where there is none yet. Errors: `name-in-use`. */
  static async start(options: AntiEntropyOptions, ports: ServerPorts): Promise<AntiEntropyWorker> {
    const { prefix, cluster, secrets, seeds, gossipIntervalMs, name } = options;
    const presence = await claimName('anti-entropy', name, options, ports);
    const linkName = `${WORKER_GROUP}.${toHex(ports.random.bytes(8))}`;
    const participant = await Participant.open(
      { prefix, cluster, secrets, seeds, gossipIntervalMs, role: 'client', name: linkName },
      { ...ports, historyStore: undefined },
    );
    participant.start({}, (kind) => new ArmatureError('invalid-argument', `an anti-entropy worker does not answer ${kind}`));
    const worker = new AntiEntropyWorker(options, ports, participant, presence);
    const access = (): Access => participant.membership.view.access;
    const full = (): WorkerStatus & { readonly ready: boolean } => ({ ...worker.status(), ready: worker.notes.length === 0 });
    worker.#service = await ports.bus.serve(describeService('anti-entropy', options, name, { access, full }));
    worker.#running = worker.#run();
    worker.#reaping.start();
    return worker;
  }

  status(): WorkerStatus {
    const { exchanges, differing, bytes, failed, skipped, problem } = addTallies(
      this.#tally,
      this.#sweep?.tally ?? NOTHING_SWEPT,
    );
    return {
      name: this.#options.name,
      state: this.#paused ? 'paused' : this.#sweep === undefined ? 'waiting' : 'sweeping',
      sweeps: this.#sweeps,
      progressPercent: Math.floor(this.#progress * 100),
      ...{ exchanges, differing, bytes, failed, skipped },
      problem: problem ?? '',
      reaping: this.#reaping.status,
    };
  }

  /** Why it is not ready, in words for an operator. */
  get notes(): readonly string[] {
    const notes: string[] = [];
    if (this.#presence.lost !== undefined) notes.push(this.#presence.lost.message);
    if (this.#participant.membership.view.cluster === undefined) notes.push('no node has told this worker of a cluster yet');
    notes.push(...busNotes(this.#ports.bus));
    return notes;
  }

  /** Starts nothing more, and waits for exchanges under way: the nodes would finish them anyway. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#presence.stop();
    this.#wakeUp?.();
    this.#rollCalls.unsubscribe();
    await Promise.all([this.#service?.stop(), this.#admin.stop()]);
    await this.#reaping.stop();
    await this.#running;
    await this.#participant.stop();
  }

  get #progress(): number {
    return this.#sweep === undefined ? 0 : progressOf(this.#sweep);
  }

  #answer(request: AdministrationRequest): WorkerReply {
    if (request.kind !== 'worker')
      throw new ArmatureError('invalid-argument', `this is an anti-entropy worker: ${request.kind} goes to a node`);
    this.#obey(request.command);
    return { kind: 'worker', status: this.status() };
  }

  #obey(command: WorkerCommand): void {
    if (command === 'status' || this.#paused === (command === 'pause')) return;
    this.#paused = command === 'pause';
    this.#wakeUp?.();
  }

  async #run(): Promise<void> {
    const { clock, log, random } = this.#ports;
    const { membership, monitor } = this.#participant;
    await membership.refresh().catch((thrown: unknown) => {
      log.warn({ err: toArmatureError(thrown) }, 'no node answers yet; membership follows by gossip');
    });
    while (!this.#stopped) {
      const rounds = this.#paused ? [] : roundsOf(membership.view);
      if (rounds.length === 0) {
        await this.#rest(LOOK_AGAIN_MS);
        continue;
      }
      const startedMs = clock.monotonicMs();
      const gapMs = this.#options.cycleMs / rounds.reduce((sum, round) => sum + pairsOf(round).length, 0);
      const sweep = await runSweep(
        {
          exchange: (pair) => this.#exchange(pair),
          isDown: (node) => monitor.isSuspect(node),
          pace: (now) => this.#pace(now, gapMs),
          isCancelled: () => this.#stopped,
          onResult: (pair, result, now) => this.#note(pair, result, now),
          clock,
          random,
        },
        rounds,
        LIMITS,
      );
      this.#tally = addTallies(this.#tally, sweep.tally);
      this.#sweep = undefined;
      if (this.#stopped) return;
      this.#sweeps++;
      this.#sweepsDone.add();
      const tookMs = Math.round(clock.monotonicMs() - startedMs);
      log.info({ ...sweep.tally, tookMs }, 'a sweep over all partitions is done');
      await this.#rest(Math.max(0, this.#options.cycleMs - tookMs));
    }
  }

  /** Exchanges are spread over the cycle, with some chance, so that workers started together do not stay in step. */
  async #pace(sweep: Sweep, gapMs: number): Promise<void> {
    this.#sweep = sweep;
    await this.#rest(gapMs * (0.5 + this.#ports.random.float()));
    while (this.#paused && !this.#stopped) await this.#rest(LOOK_AGAIN_MS);
  }

  /** Ends early when the worker is stopped, paused or resumed. */
  #rest(delayMs: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#ports.clock.after(delayMs, () => this.#wakeUp?.());
      this.#wakeUp = () => {
        this.#wakeUp = undefined;
        timer.cancel();
        resolve();
      };
    });
  }

  async #exchange({ initiator, peer, partition, n }: Pair): Promise<ExchangeReply> {
    const { membership, monitor } = this.#participant;
    const request = { kind: 'exchange', ring: membership.view.ringVersion, partition, n, peer, bucket: undefined } as const;
    try {
      return await this.#participant.delegate(initiator, request, EXCHANGE_TIMEOUT_MS);
    } catch (thrown) {
      const error = toArmatureError(thrown);
      if (error.code === 'unavailable') monitor.doubt(peer); // to the initiator it seems to be down; the rest of the sweep need not try
      if (error.code === 'stale-ring') await membership.refresh(nodeAddress(initiator)).catch(() => undefined); // gossip goes on
      throw error;
    }
  }

  #note({ partition, n, initiator, peer }: Pair, result: PairResult, sweep: Sweep): void {
    this.#sweep = sweep;
    const what = { partition, n, initiator, peer };
    if (result.kind === 'reply') {
      const { kind: _kind, ...facts } = result.reply;
      this.#outcomes[result.reply.outcome].add();
      this.#ports.log[result.reply.differing > 0 ? 'info' : 'debug']({ ...what, ...facts }, 'replicas compared');
      return;
    }
    this.#outcomes[result.kind === 'busy' ? 'refused' : 'failed'].add();
    this.#ports.log[result.kind === 'busy' ? 'debug' : 'warn']({ ...what, problem: result.problem }, 'replicas not compared');
  }
}
