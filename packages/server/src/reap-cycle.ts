/**
 * When a worker has tombstones and long clocks looked for: one pass over all shares in each reap cycle, share by share, evenly
 * spread over it. The first pass follows the first sweep: replicas that differ hold back what they differ in. While a member is
 * suspect nothing could be reaped, so nothing is asked.
 */
import { toArmatureError } from '@armature/kernel';
import type { Participant } from '@armature/coordination';
import { nodeAddress, type LastReapPass, type ReapReply } from '@armature/protocol';
import { NOTHING_REAPED, runReapPass, sharesToReap, type ReapedShare, type ReapTally } from '@armature/repair';
import type { Clock, Counter, Logger, Telemetry } from '@armature/runtime';

export interface ReapCycleEnv {
  readonly participant: Participant;
  /** For one pass. */
  readonly cycleMs: number;
  /** Sweeps finished so far. */
  readonly sweeps: () => number;
  readonly isPaused: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

/** A node ends a run of its own accord after about half of that. */
const REAP_TIMEOUT_MS = 40_000;
const LOOK_AGAIN_MS = 1_000;

export class ReapCycle {
  readonly #env: ReapCycleEnv;
  readonly #passesDone: Counter;
  #passes = 0;
  #last: ReapTally = NOTHING_REAPED;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  #wakeUp: (() => void) | undefined;

  constructor(env: ReapCycleEnv) {
    this.#env = env;
    this.#passesDone = env.telemetry.counter('armature_worker_reap_passes_total', 'Passes over all partitions for tombstones.');
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Starts nothing more, and waits for the run under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wakeUp?.();
    await this.#running;
  }

  get status(): LastReapPass {
    const { candidates, waiting, reaped, heldBack, blocked, problem } = this.#last;
    const held = Object.values(heldBack).reduce((sum, count) => sum + count, 0);
    return { passes: this.#passes, candidates, waiting, reaped, heldBack: held, blocked, problem: problem ?? '' };
  }

  async #run(): Promise<void> {
    const { clock, log, sweeps, cycleMs } = this.#env;
    while (!this.#stopped) {
      const shares = sweeps() > 0 ? sharesToReap(this.#env.participant.membership.view) : [];
      if (shares.length === 0) {
        await this.#rest(LOOK_AGAIN_MS);
        continue;
      }
      const startedMs = clock.monotonicMs();
      const tally = await runReapPass(
        {
          reap: (share, start) => this.#reap(share, start),
          pace: () => this.#rest(cycleMs / shares.length),
          isCancelled: () => this.#stopped,
          onResult: () => undefined,
          clock,
        },
        shares,
      );
      if (this.#stopped) return;
      this.#last = tally;
      this.#passes++;
      this.#passesDone.add();
      log.info({ ...tally, tookMs: Math.round(clock.monotonicMs() - startedMs) }, 'a pass for tombstones is done');
    }
  }

  async #reap({ partition, n, first }: ReapedShare, start: ReapReply['next']): Promise<ReapReply> {
    await this.#untilAllAreUp();
    const { participant } = this.#env;
    const { membership } = participant;
    const request = { kind: 'reap', ring: membership.view.ringVersion, partition, n, start, bucket: undefined } as const;
    try {
      return await participant.delegate(first, request, REAP_TIMEOUT_MS);
    } catch (thrown) {
      const error = toArmatureError(thrown);
      if (error.code === 'stale-ring') await membership.refresh(nodeAddress(first)).catch(() => undefined); // gossip goes on
      throw error;
    }
  }

  async #untilAllAreUp(): Promise<void> {
    const { membership, monitor } = this.#env.participant;
    const isHeld = (): boolean =>
      this.#env.isPaused() || [...membership.view.members.keys()].some((node) => monitor.isSuspect(node));
    while (!this.#stopped && isHeld()) await this.#rest(LOOK_AGAIN_MS);
  }

  /** Ends early when the worker is stopped. */
  #rest(delayMs: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        this.#wakeUp = undefined;
        timer.cancel();
        resolve();
      };
      const timer = this.#env.clock.after(delayMs, end);
      this.#wakeUp = end;
    });
  }
}
