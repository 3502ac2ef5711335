/**
 * What the hostile client says where nothing bears a proof: it answers questions of discovery first, with made-up addresses and
 * garbage, and those about names with recordings of what others have said of theirs; it repeats these where everybody hears them;
 * and it makes up applications at front doors.
 *
 * Nobody may end because of it (`names:`), nobody may ask those whom it names for anything but whether they are there, and
 * whoever comes later must find the cluster all the same.
 */
import { ByteReader, ByteWriter, pick, toArmatureError, utf8Encode, type BucketName, type Random } from '@armature/kernel';
import { frontAddress, FRONT_RIGHTS, protocolCodec } from '@armature/protocol';
import type { ServerPorts } from '@armature/server';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';

const RECORDED = 128;
/** Made-up applications at once. */
const FLOOD = 20;
/** Of a frame's header after the sender's address: a flag, and ten words (docs/protocol.md). */
const [FLAG_BYTES, WORDS_BYTES] = [1, 40];
const [REQUEST, FRAGMENT] = [1, 5];
/** A record's kind and length, a request's number and time limit. */
const [RECORD_HEAD_BYTES, REQUEST_HEAD_BYTES] = [5, 8];
/** Where frames for somebody go whom it has named. */
const MADE_UP = /^\.link\.(.+\.)?(node|router)\.lie\d+$/;

interface Recorded {
  readonly subject: string;
  readonly payload: Uint8Array;
}

export class HostileLies {
  readonly #cluster: SimulatedCluster;
  readonly #random: Random;
  readonly #ports: ServerPorts;
  readonly #name: string;
  readonly #root: string;
  readonly #claims: Recorded[] = [];
  /** Of what was asked of somebody who does not exist, besides whether he is there. */
  readonly believed = new Set<string>();
  #overheard = RECORDED;
  #count = 0;

  constructor(cluster: SimulatedCluster, ports: ServerPorts, name: string) {
    const { prefix, cluster: own } = cluster.names;
    this.#cluster = cluster;
    this.#ports = ports;
    this.#name = name;
    this.#random = cluster.world.random(`lies of ${name}`);
    this.#root = `${prefix}.${own}`;
    ports.bus.subscribe(`${this.#root}.discover.*`, (message) => {
      for (const text of this.#addresses()) message.respond(utf8Encode(text));
    });
    ports.bus.subscribe(`${this.#root}.presence.>`, (message) => {
      for (let i = 0; i < 3; i++) message.respond(pick(this.#random, this.#claims)?.payload ?? message.payload);
    });
  }

  /** Keeps what others say of their names, and answer to those who ask. */
  overhear({ subject, payload }: Recorded): void {
    const tail = subject.slice(this.#root.length);
    if (this.isMadeUp(subject))
      for (const kind of requestsIn(payload)) if (kind !== 'ping') this.believed.add(`${kind} to ${tail}`);
    if (!tail.startsWith('.presence') && !tail.startsWith('.inbox.')) return;
    // A fair share of all that was ever said: of former lives, too.
    const place = this.#claims.length < RECORDED ? this.#claims.length : this.#random.int(++this.#overheard);
    if (place < RECORDED) this.#claims[place] = { subject, payload };
  }

  /** Whether frames for somebody go there whom it has named. */
  isMadeUp(subject: string): boolean {
    return MADE_UP.test(subject.slice(this.#root.length));
  }

  /** Says one thing that is not so. `frame`: any that was recorded. */
  act(buckets: readonly BucketName[], servers: readonly string[], frame: Uint8Array): void {
    this.#count++;
    if (this.#random.int(8) === 0) this.#flood(buckets, servers, frame);
    else this.#repeatClaim(servers);
  }

  /** Whether somebody who comes now finds the cluster. Says why not. */
  async visit(): Promise<string[]> {
    const found: string[] = [];
    for (const routing of ['router', 'direct'] as const) {
      const visit = async (): Promise<void> => {
        const client = await this.#cluster.connect(`visitor by ${routing}`, routing);
        await client.bucket('default').get('never-written');
      };
      await this.#cluster.world
        .until(visit())
        .catch((thrown: unknown) => found.push(`a visitor by ${routing} found nobody: ${toArmatureError(thrown).message}`));
    }
    return found;
  }

  /** Under the name that it is about, or another, or to everybody. */
  #repeatClaim(servers: readonly string[]): void {
    const claim = pick(this.#random, this.#claims);
    const server = pick(this.#random, servers);
    if (claim === undefined || server === undefined) return;
    const subject = this.#random.int(4) === 0 ? `${this.#root}.presence` : `${this.#root}.presence.${server}`;
    this.#ports.bus.publish(subject, claim.payload, { reply: `${this.#name}.claims` });
  }

  #addresses(): readonly string[] {
    const made = ['node', 'router'].map((role) => `${role}.lie${++this.#count}`);
    return ['', 'garbage', 'node.*', 'x'.repeat(10_000), `guest.${this.#name}`, ...made];
  }

  /** The first fragments of messages that never end, by applications that do not exist, of one group. */
  #flood(buckets: readonly BucketName[], servers: readonly string[], recorded: Uint8Array): void {
    const [bucket, right, server] = [pick(this.#random, buckets), pick(this.#random, FRONT_RIGHTS), pick(this.#random, servers)];
    if (bucket === undefined || right === undefined || server === undefined) return;
    const { cluster } = this.#cluster.names;
    for (let i = 0; i < FLOOD; i++) {
      const frame = new ByteWriter().raw(Uint8Array.from(recorded.subarray(0, 2)));
      for (const text of [cluster, `guest.crowd.g${++this.#count}`]) frame.u8(text.length).raw(utf8Encode(text));
      frame.u8(0).raw(this.#random.bytes(WORDS_BYTES));
      frame.u8(FRAGMENT).u32(112).u32(0).u32(0).u32(1_000).raw(new Uint8Array(100));
      this.#ports.bus.publish(`${this.#root}.link.${frontAddress(bucket, right, server)}`, frame.finish());
    }
  }
}

/** Kinds of the requests in a frame. */
function requestsIn(frame: Uint8Array): readonly string[] {
  const bytes = Buffer.from(frame);
  const kinds: string[] = [];
  let at = headerBytes(bytes) + FLAG_BYTES + WORDS_BYTES;
  while (at + RECORD_HEAD_BYTES <= bytes.length) {
    const body = at + RECORD_HEAD_BYTES;
    const end = body + bytes.readUInt32LE(at + 1);
    if (end > bytes.length) break; // the MAC
    if (bytes[at] === REQUEST)
      kinds.push(protocolCodec.decodeRequest(new ByteReader(bytes.subarray(body + REQUEST_HEAD_BYTES, end))).kind);
    at = end;
  }
  return kinds;
}

/** Bytes before the flag of a frame: magic, version, and two names. */
export function headerBytes(frame: Uint8Array): number {
  const cluster = 3 + (frame[2] as number);
  return cluster + 1 + (frame[cluster] ?? 0);
}
