/**
 * What the hostile client does as an application, at the front door and on the plain API: it asks for what its tokens do not
 * grant, and contradicts itself.
 *
 * It holds tokens that are good for something: of another cluster with the same secret, expired, of a generation that was
 * revoked, to read only, for a bucket that does not exist, for keys that begin with a prefix; and some that are good for nothing.
 * In a cluster that requires none it may do as an application does without one, so there it only contradicts itself: a subject of
 * the plain API names one bucket or key, and a header another.
 *
 * Whatever it asks is refused, as `unauthenticated` or `forbidden` (a contradiction as `invalid-argument`), and nothing else is
 * said: which buckets there are is not for it.
 */
import { pick, toArmatureError, utf8Encode, type BucketName, type ClusterName, type Random } from '@armature/kernel';
import { LinkEndpoint, headerValue, linkAddress, type BusMessage, type LinkAddress } from '@armature/bus';
import {
  FRONT_RIGHTS,
  frontAddress,
  protocolCodec,
  RING_UNKNOWN,
  type FrontRight,
  type Reply,
  type Request,
} from '@armature/protocol';
import { RIGHTS, tokenToText, type Grant } from '@armature/rights';
import { addressOf } from '@armature/ring';
import type { ServerPorts } from '@armature/server';
import { GENERATION, tokenOf } from '../cluster/demand-tokens.js';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';

const PATIENCE_MS = 1_000;
/** A bucket that nobody makes. */
const NOWHERE = 'nowhere' as BucketName;
const PREFIX = utf8Encode('other-');
/** On the plain API. */
const VERBS: Readonly<Record<FrontRight, readonly string[]>> = { read: ['get'], write: ['put', 'delete'], list: [] };
const EXPIRED = 'a token that has expired';
/** Wall clock: a token that ended at the beginning of 1970 has ended, though clocks be a little off. */
const LONG_AGO_MS = 3_600_000;
const REFUSED = new Set(['unauthenticated', 'forbidden']);
/** Said by somebody who could not look at the request, or knows of no cluster yet. */
const NO_ANSWER = new Set([
  ...['unreachable', 'timeout', 'closed', 'bus-unavailable', 'unavailable', 'overloaded', 'no-cluster'],
  ...['protocol-mismatch', 'wrong-cluster'],
]);

interface Bearer {
  readonly what: string;
  readonly token: Uint8Array | undefined;
  /** What it asks for, and may not. */
  readonly asks: readonly FrontRight[];
}

export interface HostileWish {
  readonly bucket: BucketName;
  readonly right: FrontRight;
  readonly request: Request;
}

/** What an application asks with this right, of this key. */
export function wishOfRight(right: FrontRight, bucket: BucketName, key: Uint8Array, value: Uint8Array): HostileWish {
  const address = addressOf(bucket, key);
  const write: Request = {
    ...{ kind: 'write', ring: RING_UNKNOWN, address, context: new Uint8Array(0), operation: '6d616c6c6f727900' },
    ...{ tombstone: false, value, meta: [], options: { w: 1, pw: 'default', dw: 'default', returnContext: false } },
  };
  const requests: Readonly<Record<FrontRight, Request>> = {
    read: { kind: 'fetch', address, options: { r: 'default', pr: 'default' } },
    write,
    list: { kind: 'scan', bucket, cursor: '' as never, limit: 10, withValues: true },
  };
  return { bucket, right, request: requests[right] };
}

export class HostileApplications {
  /** What came of it that must not be. */
  readonly violations: string[] = [];
  readonly #cluster: SimulatedCluster;
  readonly #random: Random;
  readonly #ports: ServerPorts;
  readonly #name: string;
  readonly #bearers: readonly Bearer[];
  readonly #links = new Map<Bearer, LinkEndpoint<Request, Reply>>();
  /** What is asked on the plain API, by the number in the reply subject. */
  readonly #asked = new Map<string, { readonly what: string; readonly expected: ReadonlySet<string> }>();
  /** Somebody's clock has been so far behind that no token has expired for him. So nothing is written with one that has. */
  #wasLongAgo = false;
  #count = 0;

  constructor(cluster: SimulatedCluster, ports: ServerPorts, name: string) {
    this.#cluster = cluster;
    this.#ports = ports;
    this.#name = name;
    this.#random = cluster.world.random(`${name} at the doors`);
    this.#bearers = cluster.token === undefined ? [] : bearersOf(cluster, this.#random);
    ports.bus.subscribe(`${name}.plain.*`, (message) => this.#heard(message));
  }

  /** Asks for one thing. `buckets`: those that there are. */
  act(buckets: readonly BucketName[], servers: readonly string[]): void {
    const bucket = pick(this.#random, buckets);
    if (bucket === undefined) return;
    this.#lookAtClocks();
    const bearer = pick(this.#random, this.#bearers);
    if (bearer === undefined || this.#random.int(4) === 0) this.#contradict(bucket);
    else if (this.#random.int(3) === 0) this.#askPlainly(bearer, this.#random.int(4) === 0 ? NOWHERE : bucket);
    else this.#askAtTheDoor(bearer, this.#random.int(4) === 0 ? NOWHERE : bucket, servers);
  }

  #askAtTheDoor(bearer: Bearer, bucket: BucketName, servers: readonly string[]): void {
    const server = pick(this.#random, servers);
    const right = pick(this.#random, bearer.asks);
    if (server === undefined || right === undefined || (bucket === NOWHERE && bearer.token !== undefined)) return;
    const { request } = wishOfRight(right, bucket, utf8Encode(this.#name), utf8Encode(this.#name));
    const what = `${request.kind} in ${bucket} with ${bearer.what} at ${server}`;
    this.#linkOf(bearer)
      .request(frontAddress(bucket, right, server) as LinkAddress, request, PATIENCE_MS)
      .then(
        () => this.#violated(`${what} was carried out`),
        (thrown: unknown) => this.#judge(what, toArmatureError(thrown).code, REFUSED),
      );
  }

  #askPlainly(bearer: Bearer, bucket: BucketName): void {
    const verbs = bearer.asks.flatMap((right) => VERBS[right]);
    const verb = pick(this.#random, verbs);
    if (verb === undefined || (bucket === NOWHERE && bearer.token !== undefined)) return;
    this.#plain(`${verb}.${bucket}.${this.#name}`, bearer, REFUSED);
  }

  /** The subject names one bucket and key, a header another. */
  #contradict(bucket: BucketName): void {
    const verb = pick(this.#random, ['get', 'put', 'delete']) ?? 'put';
    const headers: [string, string][] = [];
    if (this.#random.int(2) === 0) headers.push(['Armature-Bucket', bucket]);
    if (headers.length === 0 || this.#random.int(2) === 0) headers.push(['Armature-Key', this.#name]);
    const named = headers.some(([name]) => name === 'Armature-Bucket') ? NOWHERE : bucket;
    const bearer = pick(this.#random, this.#bearers) ?? { what: 'no token', token: undefined, asks: FRONT_RIGHTS };
    this.#plain(`${verb}.${named}.contradicted`, bearer, new Set([...REFUSED, 'invalid-argument']), headers);
  }

  #plain(tail: string, { what, token }: Bearer, expected: ReadonlySet<string>, more: readonly [string, string][] = []): void {
    const { prefix, cluster } = this.#cluster.names;
    const reply = `${this.#name}.plain.${++this.#count}`;
    const said = more.map(([name, value]) => ` ${name}: ${value}`).join('');
    this.#asked.set(reply, { what: `${tail} on the plain API with ${what}${said}`, expected });
    const shown = token === undefined ? [] : [['Armature-Token', tokenToText(token)] as const];
    const headers = new Map([...more, ...shown].map(([name, value]) => [name, [value]]));
    this.#ports.bus.publish(`${prefix}.${cluster}.api.${tail}`, utf8Encode(this.#name), { reply, headers });
  }

  #heard({ subject, status, headers }: BusMessage): void {
    const asked = this.#asked.get(subject);
    this.#asked.delete(subject);
    if (asked === undefined || status !== undefined) return;
    const code = headerValue(headers, 'Armature-Error');
    if (code === undefined) this.#violated(`${asked.what} was carried out`);
    else this.#judge(asked.what, code, asked.expected);
  }

  #judge(what: string, code: string, expected: ReadonlySet<string>): void {
    if (!expected.has(code) && !NO_ANSWER.has(code)) this.#violated(`${what} was told ${code}`);
  }

  #violated(what: string): void {
    this.#lookAtClocks();
    if (!what.includes(EXPIRED) || !this.#wasLongAgo) this.violations.push(what);
  }

  #lookAtClocks(): void {
    const { connections, world } = this.#cluster;
    for (const name of connections) this.#wasLongAgo ||= world.nowMs + this.#cluster.clockAheadMs(name) < LONG_AGO_MS;
  }

  #linkOf(bearer: Bearer): LinkEndpoint<Request, Reply> {
    let link = this.#links.get(bearer);
    if (link === undefined) {
      const address = linkAddress('guest', this.#name, `b${this.#links.size}`);
      link = LinkEndpoint.open(this.#ports.bus, protocolCodec, {
        ...this.#ports,
        ...this.#cluster.names,
        address,
        token: bearer.token,
      });
      this.#links.set(bearer, link);
    }
    return link;
  }
}

function bearersOf(cluster: SimulatedCluster, random: Random): readonly Bearer[] {
  const all: readonly FrontRight[] = RIGHTS;
  const grant = (bucket: string, rights: readonly FrontRight[], prefix: Uint8Array = new Uint8Array(0)): Grant => ({
    bucket: bucket as Grant['bucket'],
    prefix,
    rights,
  });
  const forged = Uint8Array.from(tokenOf(cluster));
  forged[forged.length - 1] = (forged[forged.length - 1] as number) ^ 1;
  const buckets = [...(cluster.running[0]?.participant.membership.view.buckets.keys() ?? [])].slice(0, 16);
  const made: readonly (readonly [what: string, token: Uint8Array | undefined, asks?: readonly FrontRight[]])[] = [
    ['no token', undefined],
    ['garbage', Uint8Array.of(1, ...random.bytes(60))],
    ['a forged token', forged],
    ['a token of another cluster', tokenOf(cluster, {}, 'elsewhere' as ClusterName)],
    [EXPIRED, tokenOf(cluster, { expiresAtMs: 1 }), ['read', 'list']],
    ['a token that was revoked', tokenOf(cluster, { generation: GENERATION - 1 })],
    ['a token to read', tokenOf(cluster, { grants: [grant('*', ['read'])] }), ['write', 'list']],
    ['a token for another bucket', tokenOf(cluster, { grants: [grant(NOWHERE, all)] })],
    ['a token for other keys', tokenOf(cluster, { grants: buckets.map((one) => grant(one, ['read', 'write'], PREFIX)) })],
  ];
  return made.map(([what, token, asks = FRONT_RIGHTS]) => ({ what, token, asks }));
}
