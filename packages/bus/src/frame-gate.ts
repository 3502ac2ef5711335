/**
 * Which frames an endpoint reads: those of its cluster, in its version of the protocol, and, where it holds a secret, with a MAC
 * of that secret. The MAC is looked at before anything but the header is read. Who sent another frame is told so, and it is
 * logged, once for each sender and reason.
 */
import { ByteReader, DecodeError } from '@armature/kernel';
import type { Logger } from '@armature/runtime';
import type { BusMessage } from './bus.js';
import { PROTOCOL_VERSION, readHeader, type FrameHeader } from './frame.js';
import { MAC_BYTES } from './frame-mac.js';
import * as errors from './link-errors.js';
import type { LinkMeter } from './link-meter.js';
import type { PeerTable } from './link-peers.js';
import { refusalPayload, type RefusalCode } from './refusal.js';

/** What the gate needs of its endpoint. */
export interface GateEnvironment<Reply> {
  readonly cluster: string;
  readonly log: Logger;
  readonly meter: LinkMeter;
  readonly peers: PeerTable<Reply>;
  /** Whether this endpoint holds a secret, so that others must prove that they do. */
  readonly isSealed: boolean;
}

export interface AdmittedFrame {
  readonly header: FrameHeader;
  readonly records: ByteReader;
}

/** Two clusters of one name on one bus, or a process with the wrong secret. */
const OTHER_SECRET = 'another cluster of this name, with another secret, is on this bus: nothing that it says is taken in';
/** Frames refused for the same reason from the same address are logged once, up to this many pairs. */
const MAX_LOGGED_REFUSALS = 256;

export class FrameGate<Reply> {
  readonly #env: GateEnvironment<Reply>;
  readonly #loggedRefusals = new Set<string>();

  constructor(env: GateEnvironment<Reply>) {
    this.#env = env;
  }

  /** Undefined for a frame that is not to be read; whatever there is to say about it has been said. */
  admit(message: BusMessage): AdmittedFrame | undefined {
    const { meter } = this.#env;
    const { payload } = message;
    const reader = new ByteReader(payload);
    let header: FrameHeader;
    try {
      header = readHeader(reader);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      meter.add('decodeErrors');
      return undefined;
    }
    const code = this.#refusalOf(header, payload);
    if (code !== undefined) {
      this.#refuse(message, header, code);
      return undefined;
    }
    const end = header.isSealed ? payload.length - MAC_BYTES : payload.length;
    if (end < reader.offset) {
      meter.add('decodeErrors');
      return undefined;
    }
    return { header, records: header.isSealed ? new ByteReader(payload.subarray(reader.offset, end)) : reader };
  }

  #refusalOf({ cluster, version, address, isSealed }: FrameHeader, payload: Uint8Array): RefusalCode | undefined {
    const { peers } = this.#env;
    if (cluster !== this.#env.cluster) return 'wrong-cluster';
    if (version !== PROTOCOL_VERSION) return 'protocol-mismatch';
    if (!this.#env.isSealed) return undefined;
    return isSealed && peers.isProved(address, payload) ? undefined : 'wrong-secret';
  }

  /** Somebody with another secret listens at this address, or speaks from it. Logged once for each. */
  noteStranger(address: string): void {
    if (this.#isLogged(`wrong-secret ${address}`)) return;
    this.#env.log.error({ code: 'wrong-secret', peer: address, remedy: errors.OTHER_SECRET_REMEDY }, OTHER_SECRET);
  }

  #refuse(message: BusMessage, header: FrameHeader, code: RefusalCode): void {
    const { address, cluster, version } = header;
    this.#env.meter.add('refusedFrames');
    message.respond(refusalPayload(code));
    if (code === 'wrong-secret') this.noteStranger(address);
    else if (!this.#isLogged(`${code} ${address}`))
      this.#env.log.warn({ code, from: address, cluster, version }, 'refusing frames of this sender');
  }

  #isLogged(refusal: string): boolean {
    if (this.#loggedRefusals.has(refusal) || this.#loggedRefusals.size >= MAX_LOGGED_REFUSALS) return true;
    this.#loggedRefusals.add(refusal);
    return false;
  }
}
