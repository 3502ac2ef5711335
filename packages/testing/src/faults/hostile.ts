/**
 * A hostile client: it does not hold the cluster's secret, reads everything that is on the bus, and publishes wherever it likes,
 * as anybody may on an open nats-server.
 *
 * It says what can be forged: frames of nodes and routers with the numbers of honest ones and a made-up MAC or none, frames in
 * which a bit was changed, recordings of all that was sent, to whom they were for and to others, frames of made-up peers,
 * refusals, announcements; and, as an application with a link of its own, requests at front doors that are not for them (with
 * tokens, and on the plain API: `hostile-applications.ts`; where nothing bears a proof: `hostile-lies.ts`). Two things it could
 * do and does not, since nobody on an open bus is safe from them (docs/decisions/0013-doors.md): it does not forge "nobody
 * listens" for a frame that it has read, and it does not speak in an application's name with numbers that it has read, for frames
 * at the front door have no MAC.
 *
 * All that it asks for bears its name, so that it is known again. It must get nowhere: nothing of that may be found anywhere, no
 * request of its may be carried out, nobody may take in more frames than honest peers have sent him, or remember peers that do
 * not exist.
 */
import { ByteWriter, pick, utf8Encode, type BucketName, type Random } from '@armature/kernel';
import { LinkEndpoint, linkAddress, type BusMessage, type LinkAddress } from '@armature/bus';
import type { Membership } from '@armature/membership';
import {
  DEFAULT_BUCKET_PROPERTIES,
  FRONT_RIGHTS,
  frontAddress,
  isFrontRequest,
  protocolCodec,
  wishOf,
  type Reply,
  type Request,
} from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { VersionSet } from '@armature/versioning';
import { nameOf } from '../check/replica-contents.js';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { HostileApplications, wishOfRight } from './hostile-applications.js';
import { headerBytes, HostileLies } from './hostile-lies.js';

const NAME = 'mallory';
const VALUE = utf8Encode(NAME);
/** Mean time between two of its messages, virtual ms. */
const EVERY_MS = 10;
const PATIENCE_MS = 1_000;
const RECORDED = 512;
const LARGEST_RECORDED_BYTES = 8_000;
/**
 * Of a frame's header after the sender's address: a flag, and ten words. The fourth is the number of the frame
 * (docs/protocol.md).
 */
const FLAG_BYTES = 1;
const WORDS_BYTES = 40;
const SEQUENCE_OFFSET = FLAG_BYTES + 12;
const MAC_BYTES = 16;
const REQUEST = 1;
/** Frames that may be on their way to somebody when it begins to listen. */
const UNDER_WAY = 20;

interface Recorded {
  readonly subject: string;
  readonly payload: Uint8Array;
}

export class Hostile {
  readonly #cluster: SimulatedCluster;
  readonly #random: Random;
  readonly #link: LinkEndpoint<Request, Reply>;
  readonly #publish: (subject: string, payload: Uint8Array) => void;
  readonly #root: string;
  readonly #recorded: Recorded[] = [];
  /**
   * Frames of honest peers, by the endpoint that they went to; and those that came while nobody ran there, for whoever starts
   * next.
   */
  readonly #sent = new Map<object, number>();
  readonly #unclaimed = new Map<string, number>();
  readonly #honest = new Set<string>();
  /** Frames that were taken before it began to listen. */
  readonly #before = new Map<object, number>();
  readonly #carriedOut: string[] = [];
  readonly #applications: HostileApplications;
  readonly #lies: HostileLies;
  #overheard = RECORDED;
  #isStopped = false;
  #count = 0;

  constructor(cluster: SimulatedCluster) {
    const { prefix, cluster: name } = cluster.names;
    const ports = cluster.stranger(NAME);
    this.#cluster = cluster;
    this.#random = cluster.world.random(NAME);
    this.#root = `${prefix}.${name}`;
    this.#publish = (subject, payload) => ports.bus.publish(subject, payload, { reply: `${NAME}.${this.#count}` });
    this.#link = LinkEndpoint.open(ports.bus, protocolCodec, { ...ports, ...cluster.names, address: linkAddress('guest', NAME) });
    for (const { participant } of [...cluster.running, ...cluster.routers.values()])
      this.#before.set(participant.link, participant.link.stats.framesIn);
    this.#applications = new HostileApplications(cluster, ports, NAME);
    this.#lies = new HostileLies(cluster, ports, NAME);
    cluster.overheard = (source, message) => this.#overhear(source, message);
  }

  /** How much it has said. */
  get count(): number {
    return this.#count;
  }

  start(): void {
    const { world } = this.#cluster;
    if (this.#isStopped) return;
    world.at(world.nowMs + 2 * EVERY_MS * this.#random.float(), () => {
      this.#act();
      this.start();
    });
  }

  /** It says nothing more by itself, and goes on answering others. */
  stop(): void {
    this.#isStopped = true;
  }

  /** In peace: whether somebody who comes now finds the cluster, whatever it answers him. */
  async visit(): Promise<string[]> {
    return (await this.#lies.visit()).map((what) => `hostile: ${what}`);
  }

  /** What it has brought about. `states`: of each key, what its owners hold. */
  judge(states: ReadonlyMap<Address, VersionSet>): string[] {
    const { running, routers } = this.#cluster;
    const found = [
      ...this.#carriedOut.map((what) => `hostile: ${what} was carried out`),
      ...this.#applications.violations.map((what) => `hostile: ${what}`),
      ...[...this.#lies.believed].map((what) => `hostile: ${what}, who does not exist`),
    ];
    for (const [address, { siblings }] of states)
      if (siblings.some(({ version: { value } }) => Buffer.compare(value, VALUE) === 0))
        found.push(`hostile: ${nameOf(address)} is its own`);
    for (const { participant } of [...running, ...routers.values()]) {
      const { address, stats } = participant.link;
      const sent = this.#sent.get(participant.link) ?? 0;
      const before = this.#before.get(participant.link) ?? 0;
      if (stats.framesIn - before > sent + UNDER_WAY)
        found.push(`hostile: ${address} took ${stats.framesIn - before} frames, and was sent ${sent}`);
      if (stats.peers > this.#honest.size)
        found.push(`hostile: ${address} knows ${stats.peers} peers, of ${this.#honest.size} that there are`);
      if (isMarked(participant.membership)) found.push(`hostile: ${address} has taken in what it says of the membership`);
    }
    return found;
  }

  #overhear(source: string, { subject, payload }: BusMessage): void {
    if (source === NAME) return;
    this.#lies.overhear({ subject, payload });
    if (!subject.startsWith(`${this.#root}.link.`)) return;
    this.#honest.add(subject);
    const link = this.#endpointAt(subject);
    const unclaimed = (this.#unclaimed.get(subject) ?? 0) + 1;
    this.#unclaimed.set(subject, link === undefined ? unclaimed : 0);
    if (link !== undefined) this.#sent.set(link, (this.#sent.get(link) ?? 0) + unclaimed);
    if (payload.length > LARGEST_RECORDED_BYTES || this.#lies.isMadeUp(subject)) return;
    // A fair share of all that was ever sent: recordings of former lives are worth most.
    const place = this.#recorded.length < RECORDED ? this.#recorded.length : this.#random.int(++this.#overheard);
    if (place < RECORDED) this.#recorded[place] = { subject, payload };
  }

  #endpointAt(subject: string): object | undefined {
    const { running, routers } = this.#cluster;
    const address = subject.slice(`${this.#root}.link.`.length);
    return [...running, ...routers.values()].find(({ participant }) => participant.link.address === address)?.participant.link;
  }

  #act(): void {
    const recorded = pick(this.#random, this.#recorded);
    if (recorded === undefined) return;
    this.#count++;
    switch (this.#random.int(12)) {
      case 0:
      case 1:
        this.#publish(recorded.subject, recorded.payload);
        return;
      case 2:
        this.#publish(pick(this.#random, this.#recorded)?.subject ?? recorded.subject, recorded.payload);
        return;
      case 3:
        if (this.#isInner(recorded)) this.#publish(recorded.subject, flipped(this.#random, recorded.payload));
        return;
      case 4:
        this.#publish(recorded.subject, this.#isInner(recorded) ? this.#forged(recorded.payload) : this.#madeUp());
        return;
      case 5:
        this.#publish(this.#innerSubject(recorded), this.#madeUp());
        return;
      case 6:
        this.#whisper(recorded);
        return;
      case 7:
      case 8:
      case 9:
        this.#applications.act(this.#buckets(), [...this.#servers()]);
        return;
      case 10:
        this.#lies.act(this.#buckets(), [...this.#servers()], recorded.payload);
        return;
      default:
        this.#knock();
    }
  }

  #isInner({ subject }: Recorded): boolean {
    const [role] = subject.slice(`${this.#root}.link.`.length).split('.');
    return role !== 'front' && role !== 'guest';
  }

  /** A frame that goes on where an honest one ended, with a request of its own. */
  #forged(honest: Uint8Array): Uint8Array {
    const bytes = Buffer.from(honest);
    const words = headerBytes(bytes);
    const end = words + FLAG_BYTES + WORDS_BYTES;
    if (bytes.length < end) return honest;
    bytes.writeUInt32LE((bytes.readUInt32LE(words + SEQUENCE_OFFSET) + 1 + this.#random.int(50)) >>> 0, words + SEQUENCE_OFFSET);
    bytes[words] = this.#random.int(4) === 0 ? 0 : 1;
    const frame = new ByteWriter().raw(bytes.subarray(0, end));
    this.#writeRequest(frame);
    if (bytes[words] === 1) frame.raw(this.#random.bytes(MAC_BYTES));
    return frame.finish();
  }

  /** A frame of somebody who does not exist. */
  #madeUp(): Uint8Array {
    const address = `${pick(this.#random, ['node', 'router', 'client', 'guest']) ?? 'node'}.m${this.#count}`;
    const { cluster } = this.#cluster.names;
    const frame = new ByteWriter().raw(Uint8Array.from((this.#recorded[0] as Recorded).payload.subarray(0, 2)));
    for (const text of [cluster, address]) frame.u8(text.length).raw(utf8Encode(text));
    const isSealed = this.#random.int(2) === 1;
    frame.u8(isSealed ? 1 : 0).raw(this.#random.bytes(WORDS_BYTES));
    this.#writeRequest(frame);
    return (isSealed ? frame.raw(this.#random.bytes(MAC_BYTES)) : frame).finish();
  }

  #writeRequest(frame: ByteWriter): void {
    const body = new ByteWriter();
    protocolCodec.encodeRequest(body, pick(this.#random, this.#wishes()) as Request);
    frame
      .u8(REQUEST)
      .u32(8 + body.length)
      .u32(this.#random.u32())
      .u32(60_000)
      .raw(body.finish());
  }

  /** Where no link listens: refusals, with a guessed password, and announcements. */
  #whisper({ subject }: Recorded): void {
    const to = pick(this.#random, this.#recorded)?.subject.slice(`${this.#root}.link.`.length) ?? '';
    const from = subject.slice(`${this.#root}.link.`.length);
    if (this.#random.int(2) === 0) {
      const password = Buffer.from(this.#random.bytes(8)).toString('hex');
      this.#publish(
        `${this.#root}.refused.${to}.${from}.${password}.${1 + this.#random.int(1_000)}`,
        utf8Encode('refused wrong-cluster'),
      );
    } else
      this.#publish(`${this.#root}.announce`, utf8Encode(`${this.#random.int(2) === 0 ? from : `node.m${this.#count}`} ${NAME}`));
  }

  /** A door that is not for what it asks there. */
  #knock(): void {
    const server = pick(this.#random, [...this.#servers()]);
    const bucket = pick(this.#random, this.#buckets());
    const right = pick(this.#random, FRONT_RIGHTS);
    const request = pick(this.#random, this.#wishes());
    if (server === undefined || bucket === undefined || right === undefined || request === undefined) return;
    const wish = isFrontRequest(request) ? wishOf(request) : undefined;
    if (wish?.bucket === bucket && wish.right === right) return;
    const address = frontAddress(bucket, right, server) as LinkAddress;
    this.#link.request(address, request, PATIENCE_MS).then(
      () => this.#carriedOut.push(`${request.kind} at ${address}`),
      () => undefined,
    );
  }

  /** What it would like to happen. */
  #wishes(): readonly Request[] {
    const bucket = pick(this.#random, this.#buckets()) ?? ('default' as BucketName);
    const properties = DEFAULT_BUCKET_PROPERTIES;
    return [
      { kind: 'propose', change: { kind: 'bucket', bucket: NAME as BucketName, properties }, author: NAME },
      { kind: 'gossip', fingerprint: NAME, records: [] },
      { kind: 'status' },
      ...FRONT_RIGHTS.map((right) => wishOfRight(right, bucket, VALUE, VALUE).request),
    ];
  }

  #buckets(): readonly BucketName[] {
    return [...(this.#cluster.running[0]?.participant.membership.view.buckets.keys() ?? [])];
  }

  *#servers(): Iterable<string> {
    for (const { options } of this.#cluster.running) yield `node.${options.node}`;
    for (const name of this.#cluster.routers.keys()) yield `router.${name}`;
  }

  #innerSubject({ subject }: Recorded): string {
    const server = pick(this.#random, [...this.#servers()]);
    return server === undefined ? subject : `${this.#root}.link.${server}`;
  }
}

function isMarked({ view }: Pick<Membership, 'view'>): boolean {
  return view.buckets.has(NAME as BucketName);
}

function flipped(random: Random, honest: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(honest);
  const place = random.int(bytes.length);
  bytes[place] = (bytes[place] as number) ^ (1 << random.int(8));
  return bytes;
}
