/**
 * The front door of a router or a node: reads, writes and listings of applications that do not hold the cluster's secret.
 *
 * Each bucket and right has a link address of its own (`protocol/front.ts`). One subscription takes the frames for all of them,
 * and hands each to the endpoint of its subject, which is opened when the first frame comes. There are only so many; the one that
 * was asked least lately makes room, if nobody waits for anything there. Buckets that do not exist have endpoints too, so that
 * whoever may not know which there are finds all doors alike; those are few, and take the place of no other.
 *
 * An endpoint takes requests of its right and its bucket only, whatever else their sender may do: that is what NATS permits or
 * forbids by the subject. Then it asks `authorize`, which knows about tokens. Nothing but `fetch`, `write`, `scan` and `ping` is
 * answered, and nothing that a request says about the ring is believed.
 */
import type { ArmatureError, BucketName, ClusterName } from '@armature/kernel';
import {
  LinkEndpoint,
  PeerQuota,
  ReassemblyBudget,
  parseLinkAddress,
  refusalPayload,
  type BusMessage,
  type BusSubscription,
  type LinkAddress,
  type LinkSender,
  type QuotaLimits,
} from '@armature/bus';
import type { Membership } from '@armature/membership';
import {
  MAX_FRONT_REQUEST_BYTES,
  MAX_MESSAGE_BYTES,
  RING_UNKNOWN,
  doorCodec,
  isFrontRequest,
  mayHaveLargeAnswer,
  notAtThisDoor,
  parseFrontAddress,
  subjectsOf,
  wishOf,
  type FrontRequest,
  type FrontRight,
  type Reply,
  type Request,
} from '@armature/protocol';
import { HandedEndpoints, type HandedEndpoint } from './handed-endpoints.js';
import type { ServerPorts } from './server-options.js';

/**
 * Why not, if it is not allowed. `key` is undefined for a listing; `token` is what the application shows, the same object as long
 * as it shows the same.
 */
export type Authorize = (
  bucket: BucketName,
  right: FrontRight,
  key: Uint8Array | undefined,
  token: Uint8Array | undefined,
) => ArmatureError | undefined;

export interface FrontDoorEnv extends ServerPorts {
  readonly prefix: string;
  readonly cluster: ClusterName;
  /** Of the router or node whose door it is, e.g. `router.r1`. */
  readonly server: LinkAddress;
  readonly messageBytes?: number | undefined;
  readonly membership: Pick<Membership, 'view'>;
  readonly authorize: Authorize;
  /** Where the bucket does not exist, too: then with an error. */
  answer(request: FrontRequest, sender: LinkSender): Reply | Promise<Reply>;
}

interface Door {
  readonly bucket: BucketName;
  readonly right: FrontRight;
}

/** What is answered at a front door; all else is refused before it is decoded. */
const ANSWERED: ReadonlySet<Request['kind']> = new Set(['fetch', 'write', 'scan', 'ping'] as const);
/** Eighty buckets with all rights. One that nobody uses holds a few KiB. */
const MAX_ENDPOINTS = 256;
/** Of buckets that do not exist, as far as is known here. */
const MAX_UNKNOWN = 64;
/**
 * What all doors together remember of those who ask there, and hold of incomplete messages; one group of applications gets half.
 */
const PEERS: QuotaLimits = { peers: 8_192, peersPerGroup: 4_096 };
const REASSEMBLY_BYTES = 256 * 1024 * 1024;
/** Requests in hand of one group, and the bytes of the frames and messages that they and those of all others came in. */
const EXECUTING = { executingPerGroup: 16_384, executingBytesPerGroup: 128 * 1024 * 1024, executingBytes: 256 * 1024 * 1024 };

export class FrontDoor {
  readonly #env: FrontDoorEnv;
  readonly #subscription: BusSubscription;
  readonly #framesPrefix: string;
  readonly #reassembly = new ReassemblyBudget(REASSEMBLY_BYTES, REASSEMBLY_BYTES / 2);
  readonly #quota = new PeerQuota(PEERS);
  readonly #endpoints = new HandedEndpoints(MAX_ENDPOINTS);
  readonly #unknown = new HandedEndpoints(MAX_UNKNOWN);

  constructor(env: FrontDoorEnv) {
    this.#env = env;
    const subject = subjectsOf(env.prefix, env.cluster).fronts(env.server);
    this.#framesPrefix = subject.slice(0, subject.indexOf('front.'));
    this.#subscription = env.bus.subscribe(subject, (message) => this.#receive(message));
  }

  /** Takes no new requests, and finishes those in hand. */
  async stop(): Promise<void> {
    this.#subscription.unsubscribe();
    await Promise.all([this.#endpoints.drain(), this.#unknown.drain()]);
  }

  #receive(message: BusMessage): void {
    const address = message.subject.slice(this.#framesPrefix.length);
    const endpoint = this.#endpoints.use(address);
    if (endpoint === undefined) this.#knock(message, address);
    else endpoint.receive(message);
  }

  /** A frame for an endpoint that is not open, or one of a bucket that did not exist a moment ago. */
  #knock(message: BusMessage, text: string): void {
    const door = parseFrontAddress(text);
    const address = parseLinkAddress(text);
    if (door === undefined || !address.ok) return;
    const exists = this.#env.membership.view.buckets.has(door.bucket);
    let endpoint = this.#unknown.use(text);
    const doors = exists ? this.#endpoints : this.#unknown;
    if ((exists || endpoint === undefined) && doors.makeRoom()) {
      this.#unknown.remove(text);
      endpoint ??= this.#open(address.value, door);
      doors.add(text, endpoint);
    }
    if (endpoint === undefined) message.respond(refusalPayload('overloaded'));
    else endpoint.receive(message);
  }

  #open(address: LinkAddress, door: Door): HandedEndpoint {
    const { bus, clock, random, log, telemetry, prefix, cluster, messageBytes = MAX_MESSAGE_BYTES } = this.#env;
    const codec = doorCodec(ANSWERED, (kind) => notAtThisDoor(kind, door));
    const endpoint = LinkEndpoint.open(bus, codec, {
      ...{ prefix, cluster, clock, random, log, telemetry, address },
      limits: {
        messageBytes,
        incomingBytes: Math.min(messageBytes, MAX_FRONT_REQUEST_BYTES),
        ...EXECUTING,
      },
      isHanded: true,
      reassembly: this.#reassembly,
      quota: this.#quota,
    });
    endpoint.serve((request, sender) => this.#answer(door, request, sender), { mayHaveLargeAnswer });
    return endpoint;
  }

  #answer(door: Door, request: Request, sender: LinkSender): Reply | Promise<Reply> {
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
