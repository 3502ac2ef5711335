import { seededRandom, type ArmatureError, type ByteReader, type ByteWriter } from '@armature/kernel';
import { ManualClock, memoryTelemetry, recordingLog, type Clock } from '@armature/runtime';
import { InProcessBroker } from './in-process-bus.js';
import { linkAddress, type LinkAddress } from './link-address.js';
import type { LinkCodec } from './link-codec.js';
import type { LinkLimits } from './link-limits.js';
import { LinkEndpoint } from './link.js';

/** Messages of these tests: bytes, with an encoder that can be told to fail. */
export interface Note {
  readonly bytes: Uint8Array;
  readonly unencodable?: boolean;
  /** What is written cannot be read. */
  readonly garbled?: boolean;
}

export const noteCodec: LinkCodec<Note, Note> = {
  encodeRequest: writeNote,
  decodeRequest: readNote,
  encodeReply: writeNote,
  decodeReply: readNote,
};

function writeNote(writer: ByteWriter, note: Note): void {
  if (note.garbled === true) writer.u8(0x7f);
  else writer.blob(note.bytes);
  if (note.unencodable === true) throw new Error('unencodable on purpose');
}

function readNote(reader: ByteReader): Note {
  return { bytes: reader.blob() };
}

export const note = (text: string): Note => ({ bytes: new TextEncoder().encode(text) });
export const textOf = (value: Note): string => new TextDecoder().decode(value.bytes);

export type NoteEndpoint = LinkEndpoint<Note, Note>;

export interface BenchOptions {
  readonly clock?: Clock;
  readonly keys?: readonly Uint8Array[] | undefined;
}

/** A broker in virtual time with endpoints on connections of their own, each named by its address. */
export class LinkBench {
  readonly clock = new ManualClock(1_000_000);
  readonly random = seededRandom('links');
  readonly broker: InProcessBroker;
  readonly telemetry = memoryTelemetry();
  readonly #recorded = recordingLog();
  /** Frames that passed the bus, as `subject` and payload. */
  readonly frames: { readonly subject: string; readonly payload: Uint8Array }[] = [];

  constructor(maxPayloadBytes?: number) {
    this.broker = new InProcessBroker({ clock: this.clock, ...(maxPayloadBytes === undefined ? {} : { maxPayloadBytes }) });
  }

  get logged(): readonly string[] {
    return this.#recorded.entries.map((entry) => `${entry.level}: ${entry.message}`);
  }

  open(name: string, limits: Partial<LinkLimits> = {}, { clock = this.clock, keys }: BenchOptions = {}): NoteEndpoint {
    return LinkEndpoint.open(this.broker.connect(name), noteCodec, {
      prefix: 't',
      cluster: 'c',
      address: at(name),
      clock,
      keys,
      random: this.random,
      log: this.#recorded.log,
      telemetry: this.telemetry,
      limits,
    });
  }

  /** Records frames from now on. Whoever listens to everything is also somebody who listens: nobody is unreachable then. */
  tap(): void {
    this.broker.connect('tap').subscribe('t.c.link.>', ({ subject, payload }) => this.frames.push({ subject, payload }));
  }

  /** First contact: each takes up the session of the other. */
  async introduce(a: NoteEndpoint, b: NoteEndpoint): Promise<void> {
    void a.request(b.address, note('introduction'), 1_000).catch(() => undefined);
    await this.turns();
    this.frames.length = 0;
  }

  /** Lets the turns pass that a few messages to and fro need. */
  async turns(): Promise<void> {
    await this.clock.advance(1);
  }
}

export const at = (name: string): LinkAddress => linkAddress('node', name);

/** What became of a promise so far. */
export function watch<T>(promise: Promise<T>): { value?: T; code?: string; details?: Readonly<Record<string, unknown>> } {
  const seen: { value?: T; code?: string; details?: Readonly<Record<string, unknown>> } = {};
  promise.then(
    (value) => (seen.value = value),
    (error: unknown) => {
      const { code, details } = error as ArmatureError;
      seen.code = code;
      seen.details = details;
    },
  );
  return seen;
}
