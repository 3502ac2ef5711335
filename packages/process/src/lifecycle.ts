/**
 * The life of a process: it starts part by part, serves, and on SIGTERM, SIGINT or SIGHUP (its terminal is gone) stops its parts
 * in the opposite order, within a bound. A second signal ends it at once. What nobody caught ends it too: after that its state is
 * not to be trusted.
 *
 *   starting -> serving -> stopping -> exit 0         a signal
 *               serving -> exit 1                     an uncaught error
 *   starting -> stopping -> exit by the error's code  a part did not start
 *               stopping -> exit 1                    a second signal, or the bound has passed
 */
import { toArmatureError, type ArmatureError } from '@armature/kernel';
import { sleep, type Clock, type Logger } from '@armature/runtime';
import { EXIT, exitCodeOf } from './exit-codes.js';

const ENDING_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/**
 * By default Node opens a debugger at the first, to whoever reaches its port, and ends at the second without closing anything.
 */
const IGNORED_SIGNALS = ['SIGUSR1', 'SIGUSR2'] as const;

/** What a lifecycle needs of Node's `process`. */
export interface ProcessPort {
  on(
    event: (typeof ENDING_SIGNALS)[number] | (typeof IGNORED_SIGNALS)[number] | 'uncaughtException' | 'unhandledRejection',
    listener: (subject: unknown) => void,
  ): unknown;
  exit(code: number): void;
}

export interface LifecycleOptions {
  readonly process: ProcessPort;
  readonly clock: Clock;
  readonly log: Logger;
  /** Bound of a stop, in ms. */
  readonly drainMs: number;
  /** Tells why the process did not start. */
  readonly onStartFailure: (error: ArmatureError) => void;
}

interface Part {
  readonly name: string;
  readonly stop: () => Promise<void>;
}

/** npm and the terminal may both deliver one Ctrl-C; only a later signal means "now". */
const SAME_SIGNAL_MS = 1_000;

export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #parts: Part[] = [];
  #started: Promise<void> = Promise.resolve();
  #stoppingSinceMs: number | undefined;

  constructor(options: LifecycleOptions) {
    this.#options = options;
    const { process } = options;
    for (const signal of ENDING_SIGNALS) process.on(signal, () => this.#onSignal(signal));
    for (const signal of IGNORED_SIGNALS)
      process.on(signal, () => options.log.warn({ signal }, 'a signal that means nothing here'));
    process.on('uncaughtException', (thrown) => this.crash(thrown, 'an error that nobody caught'));
    process.on('unhandledRejection', (thrown) => this.crash(thrown, 'a rejection that nobody handled'));
  }

  get stopping(): boolean {
    return this.#stoppingSinceMs !== undefined;
  }

  /** Runs the start, which adds parts as they come up. A failure stops what has started and exits. */
  async run(start: () => Promise<void>): Promise<void> {
    this.#started = start();
    try {
      await this.#started;
    } catch (thrown) {
      const error = toArmatureError(thrown);
      this.#options.onStartFailure(error);
      await this.stop('the start failed', exitCodeOf(error.code));
    }
  }

  /** A part that has started, to be stopped before those added earlier. */
  add(name: string, stop: () => Promise<void>): void {
    this.#parts.push({ name, stop });
  }

  /** Stops everything and exits with `code`. Later calls change nothing. */
  async stop(reason: string, code: number): Promise<void> {
    if (this.stopping) return;
    const { clock, log, drainMs, process } = this.#options;
    this.#stoppingSinceMs = clock.monotonicMs();
    log.info({ reason }, 'stopping');
    const outcome = await Promise.race([this.#stopParts(), sleep(clock, drainMs).then(() => 'late' as const)]);
    if (outcome === 'late') log.error({ drainMs }, 'stopping took too long and is cut short; the next start recovers');
    else log.info({ tookMs: Math.round(clock.monotonicMs() - this.#stoppingSinceMs) }, 'stopped');
    process.exit(outcome === 'done' ? code : EXIT.failure);
  }

  /** Ends the process at once: what it holds in memory may be wrong, and must not be written in good order. */
  crash(thrown: unknown, what: string): void {
    this.#options.log.error({ err: toArmatureError(thrown), fatal: true }, what);
    this.#options.process.exit(EXIT.failure);
  }

  #onSignal(signal: string): void {
    if (this.#stoppingSinceMs === undefined) {
      void this.stop(signal, EXIT.ok);
    } else if (this.#options.clock.monotonicMs() - this.#stoppingSinceMs > SAME_SIGNAL_MS) {
      this.#options.log.error({ signal }, 'asked again to stop: ending at once');
      this.#options.process.exit(EXIT.failure);
    }
  }

  async #stopParts(): Promise<'done' | 'failed'> {
    await this.#started.catch(() => undefined); // a half-started part cannot be stopped; its failure was reported by `run`
    let outcome: 'done' | 'failed' = 'done';
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) {
      try {
        await part.stop();
      } catch (thrown) {
        outcome = 'failed';
        this.#options.log.error({ err: toArmatureError(thrown), part: part.name }, 'a part did not stop in good order');
      }
    }
    return outcome;
  }
}
