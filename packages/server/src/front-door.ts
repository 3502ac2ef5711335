/**
 * The front door of a router or a node: reads, writes and listings of applications that do not hold the cluster's secret.
 *
 * Each bucket and right has a link address of its own (`protocol/front.ts`). One subscription takes the frames for all of them, and hands each to the endpoint of its subject, which is opened
 * when the first frame comes for a bucket that exists. There are only so many; the one that was asked least lately makes room, if nobody waits for anything there.
 *
 * An endpoint takes requests of its right and its bucket only, whatever else their sender may do: that is what NATS permits or forbids by the subject. Then it asks `authorize`, which knows about
 * tokens. Nothing but `fetch`, `write`, `scan` and `ping` is answered, and nothing that a request says about the ring is believed.
 */
import type { ArmatureError, BucketName, ClusterName, Random } from '@armature/kernel';
import {
  LinkEndpoint,
  ReassemblyBudget,
  parseLinkAddress,
  refusalPayload,
  type Bus,
  type BusMessage,
  type BusSubscription,
  type LinkAddress,
  type LinkSender,
} from '@armature/bus';
import type { Membership } from '@armature/membership';
import {
  MAX_MESSAGE_BYTES,
  RING_UNKNOWN,
  isFrontRequest,
  mayHaveLargeAnswer,
  notAtThisDoor,
  parseFrontAddress,
  protocolCodec,
  subjectsOf,
  wishOf,
  type FrontRequest,
  type FrontRight,
  type Reply,
  type Request,
} from '@armature/protocol';
import type { Clock, Logger, Telemetry } from '@armature/runtime';

/** Why not, if it is not allowed. `key` is undefined for a listing; `token` is what the application shows, the same object as long as it shows the same. */
export type Authorize = (
  bucket: BucketName,
  right: FrontRight,
  key: Uint8Array | undefined,
  token: Uint8Array | undefined,
) => ArmatureError | undefined;

export interface FrontDoorEnv {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly prefix: string;
  readonly cluster: ClusterName;
  /** Of the router or node whose door it is, e.g. `router.r1`. */
  readonly server: LinkAddress;
  readonly messageBytes?: number | undefined;
  readonly membership: Pick<Membership, 'view' | 'refresh'>;
  readonly authorize: Authorize;
  answer(request: FrontRequest, sender: LinkSender): Reply | Promise<Reply>;
}

type Endpoint = LinkEndpoint<Request, Reply>;

/** Eighty buckets with all rights. One that nobody uses holds a few KiB. */
const MAX_ENDPOINTS = 256;
/** Frames that wait to hear whether their bucket was made a moment ago elsewhere. */
const MAX_WAITING = 64;
/** Incomplete messages, at all doors together. */
const REASSEMBLY_BYTES = 256 * 1024 * 1024;

export class FrontDoor {
  readonly #env: FrontDoorEnv;
  readonly #subscription: BusSubscription;
  readonly #framesPrefix: string;
  readonly #reassembly = new ReassemblyBudget(REASSEMBLY_BYTES);
  /** The one that was asked least lately is first. */
  readonly #endpoints = new Map<string, Endpoint>();
  #waiting = 0;
  #isStopped = false;

  constructor(env: FrontDoorEnv) {
    this.#env = env;
    const subject = subjectsOf(env.prefix, env.cluster).fronts(env.server);
    this.#framesPrefix = subject.slice(0, subject.indexOf('front.'));
    this.#subscription = env.bus.subscribe(subject, (message) => this.#receive(message));
  }

  /** Takes no new requests, and finishes those in hand. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#subscription.unsubscribe();
    await Promise.all([...this.#endpoints.values()].map((endpoint) => endpoint.drain()));
  }

  #receive(message: BusMessage): void {
    const address = message.subject.slice(this.#framesPrefix.length);
    const endpoint = this.#endpoints.get(address);
    if (endpoint === undefined) {
      this.#knock(message, address);
      return;
    }
    this.#endpoints.delete(address); // to the end
    this.#endpoints.set(address, endpoint);
    endpoint.receive(message);
  }

  /** A frame for an endpoint that is not open. A bucket that was made a moment ago elsewhere may not be known here yet, so membership is asked once. */
  #knock(message: BusMessage, address: string): void {
    const { membership } = this.#env;
    const door = parseFrontAddress(address);
    if (door === undefined) return;
    if (membership.view.buckets.has(door.bucket)) {
      this.#openFor(message, address);
      return;
    }
    if (this.#waiting >= MAX_WAITING) {
      message.respond(refusalPayload('overloaded'));
      return;
    }
    this.#waiting++;
    const done = (): void => {
      this.#waiting--;
      if (this.#isStopped) return;
      const { cluster, buckets } = membership.view;
      if (buckets.has(door.bucket)) this.#openFor(message, address);
      else message.respond(refusalPayload(cluster === undefined ? 'no-cluster' : 'unknown-bucket'));
    };
    membership.refresh().then(done, done);
  }

  #openFor(message: BusMessage, address: string): void {
    const endpoint = this.#endpoints.get(address) ?? this.#open(address);
    if (endpoint === undefined) message.respond(refusalPayload('overloaded'));
    else endpoint.receive(message);
  }

  #open(text: string): Endpoint | undefined {
    const { bus, clock, random, log, telemetry, prefix, cluster, messageBytes = MAX_MESSAGE_BYTES } = this.#env;
    const address = parseLinkAddress(text);
    const door = parseFrontAddress(text);
    if (!address.ok || door === undefined || !this.#makeRoom()) return undefined;
    const endpoint = LinkEndpoint.open(bus, protocolCodec, {
      ...{ prefix, cluster, clock, random, log, telemetry },
      address: address.value,
      limits: { messageBytes },
      isHanded: true,
      reassembly: this.#reassembly,
    });
    endpoint.serve((request, sender) => this.#answer(door, request, sender), { mayHaveLargeAnswer });
    this.#endpoints.set(text, endpoint);
    return endpoint;
  }

  #makeRoom(): boolean {
    if (this.#endpoints.size < MAX_ENDPOINTS) return true;
    for (const [address, endpoint] of this.#endpoints) {
      if (!endpoint.isIdle) continue;
      endpoint.close();
      this.#endpoints.delete(address);
      return true;
    }
    return false;
  }

  #answer(
    door: { readonly bucket: BucketName; readonly right: FrontRight },
    request: Request,
    sender: LinkSender,
  ): Reply | Promise<Reply> {
    if (request.kind === 'ping') return { kind: 'ping' };
    if (!isFrontRequest(request)) throw notAtThisDoor(request.kind, door);
    const { bucket, right, key } = wishOf(request);
    if (bucket !== door.bucket || right !== door.right) throw notAtThisDoor(`${request.kind} in bucket ${bucket}`, door);
    const refusal = this.#env.authorize(bucket, right, key, sender.token);
    if (refusal !== undefined) throw refusal;
    return this.#env.answer(asOutsider(request), sender);
  }
}

/** Which ring there is, and that somebody is to stand in for its owners, is said by those who hold the secret. */
function asOutsider(request: FrontRequest): FrontRequest {
  return request.kind === 'write' ? { ...request, ring: RING_UNKNOWN, standIn: false } : request;
}
