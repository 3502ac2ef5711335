/**
 * Reads of the plain API take turns in bytes. An answer there is one message that is handed to the bus at once, whoever asks and
 * however slowly it is taken; hundreds of reads of large values at a time would hold all of them, and their copies, in this
 * process. How large an answer will be nobody knows before it is there, so each read counts with what answers usually take
 * lately: of a router that has just started a few are carried out at first, a large answer counts at once, small ones little by
 * little. A read that had a large answer has its turn until the bus has taken that.
 */
import { Turns, type TurnLimits } from '@armature/coordination';
import type { Bus } from '@armature/bus';
import type { Clock } from '@armature/runtime';

const KIB = 1024;
const MIB = 1024 * KIB;
/** 16 at once at first, 256 of small values; and 16,384 that wait. */
const LIMITS: TurnLimits = { atOnce: 16 * MIB, waiting: 1024 * MIB };
/** As large as NATS lets an answer be, unless its server is told otherwise. */
const UNKNOWN_BYTES = MIB;
const LEAST_BYTES = 64 * KIB;
/** Share of the latest answer in what answers usually take, where it is smaller. */
const WEIGHT = 1 / 16;

export class PlainReads {
  readonly #bus: Pick<Bus, 'flush'>;
  readonly #turns: Turns;
  #usualBytes = UNKNOWN_BYTES;

  constructor(bus: Pick<Bus, 'flush'>, clock: Clock) {
    this.#bus = bus;
    this.#turns = new Turns(clock, LIMITS);
  }

  /**
   * `read` answers, and resolves with the bytes of its answer. Rejects with `overloaded`, and has not called it, where its turn
   * does not come in time; else as `read` does.
   */
  take(timeoutMs: number, read: (leftMs: number) => Promise<number>): Promise<void> {
    return this.#turns.take(timeoutMs, (leftMs) => this.#carryOut(leftMs, read), this.#usualBytes);
  }

  async #carryOut(leftMs: number, read: (leftMs: number) => Promise<number>): Promise<void> {
    const sizeBytes = await read(leftMs);
    const usualBytes = this.#usualBytes;
    this.#usualBytes = sizeBytes > usualBytes ? sizeBytes : Math.max(LEAST_BYTES, usualBytes + (sizeBytes - usualBytes) * WEIGHT);
    if (sizeBytes > LEAST_BYTES) await this.#bus.flush().catch(() => undefined); // lost with the connection: nothing waits to be sent
  }
}
