/**
 * One side of a link, made by hand: a process that speaks to an endpoint over a bus that is not there. It knows how frames are
 * made, so that what is fuzzed gets past the header and the MAC, and hears what the endpoint answers.
 */
import { ByteReader, ByteWriter, type BinaryString } from '@armature/kernel';
import type { Bus, BusMessage } from '@armature/bus';
import { FrameMac, readHeader, writeHeaderPrefix, writeHeaderRest } from '@armature/bus/decoders';
import type { Clock, Timer } from '@armature/runtime';
import { CLUSTER, NOW_MS } from './values.js';

/** Runs what is deferred when told to, and nothing else: there is no time. */
export class StillClock implements Clock {
  readonly #deferred: (() => void)[] = [];

  nowMs(): number {
    return NOW_MS;
  }

  monotonicMs(): number {
    return 1_000;
  }

  after(): Timer {
    return { cancel: () => undefined };
  }

  defer(task: () => void): void {
    this.#deferred.push(task);
  }

  /** The turn ends: what was deferred is done, and what that defers. */
  endTurn(): void {
    while (this.#deferred.length > 0) for (const task of this.#deferred.splice(0)) task();
  }
}

export interface Published {
  readonly subject: string;
  readonly payload: Uint8Array;
}

/** A bus with one process on it. What that publishes is kept until it is taken. */
export class LonelyBus implements Bus {
  readonly name = 'in-process';
  readonly connected = true;
  readonly maxPayloadBytes = 1024 * 1024;
  readonly denials = [];
  readonly handlers = new Map<string, (message: BusMessage) => void>();
  #published: Published[] = [];

  publish(subject: string, payload: Uint8Array): void {
    this.#published.push({ subject, payload });
  }

  subscribe(subject: string, handler: (message: BusMessage) => void): { unsubscribe(): void } {
    this.handlers.set(subject, handler);
    return { unsubscribe: () => void this.handlers.delete(subject) };
  }

  serve(): never {
    throw new Error('nothing is served here');
  }

  onEvent(): () => void {
    return () => undefined;
  }

  async flush(): Promise<void> {}

  async drain(): Promise<void> {}

  taken(): readonly Published[] {
    const published = this.#published;
    this.#published = [];
    return published;
  }
}

export function messageOf(subject: string, payload: Uint8Array, status?: number): BusMessage {
  return { subject, payload, reply: undefined, headers: undefined, status, respond: () => true };
}

/** What it says of itself in its next frame. */
interface Numbers {
  readonly session: number;
  readonly nonce: number;
  readonly named: number;
  readonly sequence: number;
}

export class Speaker {
  readonly address: string;
  readonly #mac: FrameMac | undefined;
  readonly #prefix: Uint8Array;
  readonly #session = 7;
  readonly #nonce = 11;
  #sequence = 0;
  /** Of the endpoint that it speaks to, as far as it has been heard; and its stamp. */
  #named = 0;
  #stamp = 0;

  constructor(address: string, endpoint: string, keys: readonly Uint8Array[] | undefined) {
    this.address = address;
    this.#mac = keys === undefined ? undefined : new FrameMac(keys, address, endpoint);
    const writer = new ByteWriter();
    writeHeaderPrefix(writer, CLUSTER, address, keys !== undefined);
    this.#prefix = writer.copyOut();
  }

  /** Takes in what the endpoint has published to it. */
  hear(published: readonly Published[]): void {
    for (const { subject, payload } of published) {
      if (!subject.endsWith(`.${this.address}`)) continue;
      const { nonce, sent } = readHeader(new ByteReader(payload));
      this.#named = nonce;
      this.#stamp = sent.monotonic;
    }
  }

  /** A frame with these records, as this process would send it; `change` may change it before it is sealed. */
  frame(records: Uint8Array, change: (unsealed: Uint8Array) => Uint8Array = (same) => same): Uint8Array {
    const numbers: Numbers = { session: this.#session, nonce: this.#nonce, named: this.#named, sequence: ++this.#sequence };
    const writer = new ByteWriter().raw(this.#prefix);
    writeHeaderRest(writer, numbers, { monotonic: 1_000, wall: NOW_MS }, { stamp: this.#stamp, heldMs: 0 });
    const sealed = new ByteWriter().raw(change(writer.raw(records).copyOut()));
    this.#mac?.seal(sealed);
    return sealed.copyOut();
  }
}

/** A record of a frame. */
export function record(kind: number, content: Uint8Array): Uint8Array {
  return new ByteWriter().u8(kind).u32(content.length).raw(content).copyOut();
}

/** `changes` are pairs: where, and with what a byte is combined. */
export function tampered(frame: Uint8Array, changes: Uint8Array): Uint8Array {
  const out = Uint8Array.from(frame);
  for (let i = 0; i + 1 < changes.length; i += 2) {
    const at = (changes[i] as number) % Math.max(1, out.length);
    out[at] = (out[at] as number) ^ (changes[i + 1] as number);
  }
  return out;
}

export const latin1 = (bytes: Uint8Array): BinaryString => Buffer.from(bytes).toString('latin1') as BinaryString;
