/**
 * First contact without memory. Whoever sends a frame is answered before anything is remembered of it, so that made-up senders,
 * however many, take the place of nobody (as SYN cookies do for TCP: RFC 4987, section 3.6).
 *
 * A frame of a sender that is not known is not carried out in any case: its requests are sent back with a nonce of ours, and
 * asked again by a frame that names that nonce (`pairing.ts`). So all that must be known when the second frame comes is which
 * nonce the sender was told. It is not drawn, but computed: the MAC of the sender's address and of the time in steps of a few
 * seconds, under a key that only this endpoint knows. Who names it can hear at that address, and has been told a moment ago.
 *
 * A nonce is valid during its step and the next one. A peer that was taken up by one is remembered for at least that long
 * (`metMs` in `peer-quota.ts`), else a recording of the frame that named it would be taken up once more.
 */
import { ByteWriter, utf8Encode, type ArmatureError, type Random } from '@armature/kernel';
import type { Clock } from '@armature/runtime';
import { RECORD, RECORD_HEAD_BYTES, writeHeaderRest, type FrameHeader } from './frame.js';
import type { FrameMac } from './frame-mac.js';
import { HmacKey } from './hmac.js';
import type { OutboxEnvironment } from './outbox.js';
import { writeError } from './remote-error.js';

/** A round trip around the world, and a frame that waited for a busy process, fit into one. */
const STEP_MS = 5_000;
/** Until a nonce that was told just now is not taken any more. */
export const NONCE_LIFE_MS = 2 * STEP_MS;
const KEY_BYTES = 32;

/** To whom the answer goes. */
export interface Stranger {
  /** Of its frames. */
  readonly subject: string;
  readonly header: FrameHeader;
  /** Undefined where this endpoint holds no secret. */
  readonly mac: FrameMac | undefined;
}

export class Greeter {
  readonly #env: Pick<OutboxEnvironment, 'headerPrefix' | 'clock' | 'publish'>;
  readonly #clock: Clock;
  readonly #key: HmacKey;
  /** Of the greetings, all senders together: each sender hears them rise. */
  #sequence = 0;

  constructor(env: Pick<OutboxEnvironment, 'headerPrefix' | 'clock' | 'publish'>, clock: Clock, random: Random) {
    this.#env = env;
    this.#clock = clock;
    this.#key = new HmacKey(random.bytes(KEY_BYTES));
  }

  /** Whether a frame from this address names what its sender was told a moment ago. */
  hasTold(address: string, named: number): boolean {
    if (named === 0) return false;
    const step = this.#step();
    return named === this.#nonce(address, step) || named === this.#nonce(address, step - 1);
  }

  /** Sends these requests back, to be asked again by a frame that names the nonce of the answer. */
  sendBack(to: Stranger, ids: readonly number[]): void {
    this.#answer(to, ids, (writer, id) => writer.u8(RECORD.again).u32(4).u32(id));
  }

  /** Refuses these requests for good. */
  refuse(to: Stranger, ids: readonly number[], error: ArmatureError): void {
    this.#answer(to, ids, (writer, id) => {
      const start = writer.u8(RECORD.error).u32(0).length;
      writeError(writer.u32(id), error);
      writer.patchU32(start - 4, writer.length - start);
    });
  }

  #answer({ subject, header, mac }: Stranger, ids: readonly number[], write: (writer: ByteWriter, id: number) => void): void {
    if (ids.length === 0) return;
    const { address, nonce: named, sent } = header;
    const numbers = {
      session: this.#session(address),
      nonce: this.#nonce(address, this.#step()),
      named,
      sequence: ++this.#sequence,
    };
    const writer = new ByteWriter(this.#env.headerPrefix.length + ids.length * (RECORD_HEAD_BYTES + 4) + 64);
    writeHeaderRest(writer.raw(this.#env.headerPrefix), numbers, this.#env.clock.sendTime(), {
      stamp: sent.monotonic,
      heldMs: 0,
    });
    for (const id of ids) write(writer, id);
    mac?.seal(writer);
    this.#env.publish(subject, writer.finish(), ids.length, undefined);
  }

  #step(): number {
    return Math.floor(this.#clock.monotonicMs() / STEP_MS);
  }

  #nonce(address: string, step: number): number {
    return this.#word(`nonce ${step} ${address}`);
  }

  /** The same for all greetings of one sender, so that the second of two that are under way is heard too. */
  #session(address: string): number {
    return this.#word(`session ${address}`);
  }

  /** 32 bits, not 0. */
  #word(text: string): number {
    return Buffer.from(this.#key.of(utf8Encode(text)), 'latin1').readUInt32LE(0) || 1;
  }
}
