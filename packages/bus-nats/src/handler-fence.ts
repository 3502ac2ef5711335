/**
 * A fence around the handlers of subscriptions. One that throws would end the client library's read loop and leave the connection
 * deaf: here it loses its message only. And handlers that hold the event loop for long keep sockets from being read, until
 * the server cuts the connection: that is told while it happens.
 */
import type { BusHandler, BusMessage } from '@armature/bus';
import type { Clock, Logger } from '@armature/runtime';

export interface HandlerFenceOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Handlers that hold the event loop for longer than this in one turn are slow. */
  readonly slowMs: number;
  /** Told once in a turn, of the subscription whose handler made it too long. */
  readonly onSlow: (subject: string) => void;
}

export class HandlerFence {
  readonly #options: HandlerFenceOptions;
  /** When this turn's first handler began; undefined between turns. */
  #turnBeganMs: number | undefined;
  #turnReported = false;

  constructor(options: HandlerFenceOptions) {
    this.#options = options;
  }

  around(subject: string, handler: BusHandler): BusHandler {
    const { clock, log, slowMs } = this.#options;
    return (message: BusMessage) => {
      const beganMs = this.#beginHandling();
      try {
        handler(message);
      } catch (thrown) {
        log.error({ subject, error: thrown }, 'a bus handler threw; its message is lost');
      }
      if (clock.monotonicMs() - beganMs > slowMs) this.#report(subject);
    };
  }

  /** When the handlers of this turn began. Between two turns the event loop reads sockets; while they last, it does not. */
  #beginHandling(): number {
    if (this.#turnBeganMs !== undefined) return this.#turnBeganMs;
    const { clock } = this.#options;
    this.#turnBeganMs = clock.monotonicMs();
    clock.defer(() => {
      this.#turnBeganMs = undefined;
      this.#turnReported = false;
    });
    return this.#turnBeganMs;
  }

  #report(subject: string): void {
    if (this.#turnReported) return;
    this.#turnReported = true;
    this.#options.onSlow(subject);
  }
}
