/** The client: one connection, its routing, and the buckets and the administration reached through them. */
import {
  ArmatureError,
  checkedSecrets,
  NAME_RULE,
  parseClusterName,
  parseNodeId,
  quoted,
  toHex,
  unwrap,
  utf8Encode,
  type ClusterName,
  type Random,
  type Secrets,
} from '@armature/kernel';
import { LinkEndpoint, linkAddress, type Bus } from '@armature/bus';
import { CLIENT_BYTES, CLIENT_TURNS, Inbox, Pace, Participant, createSealer, requireToHear } from '@armature/coordination';
import { DEFAULT_PREFIX, MAX_MESSAGE_BYTES, parseAuthor, protocolCodec, subjectsOf, type Subjects } from '@armature/protocol';
import { peekToken, proofOf, tokenFromText } from '@armature/rights';
import { scopedTelemetry, type Clock, type Logger, type ScopedTelemetry, type Telemetry } from '@armature/runtime';
import { Admin } from './admin.js';
import { AdminLink, proofByHolderOfSecret } from './admin-link.js';
import { Bucket, type BucketOptions } from './bucket.js';
import { utf8 } from './codec.js';
import { DirectRouting } from './direct-routing.js';
import { PacedRouting } from './paced-routing.js';
import { RouterRouting } from './router-routing.js';
import type { Routing, RoutingKind } from './routing.js';

/** The bytes, or the text of which they are the UTF-8. */
type Secret = Uint8Array | string;

export interface ClientOptions {
  readonly cluster: string;
  /** `router` by default. `direct` needs `secret`. */
  readonly routing?: RoutingKind;
  /**
   * The cluster's secret, for direct clients, which seal contexts themselves; it allows all of administration, unless a token
   * says which role this client has. Both while it is being changed, the one to seal with first.
   */
  readonly secret?: Secret | readonly Secret[] | undefined;
  readonly prefix?: string;
  /**
   * A name that stands in the subjects at which this client hears answers (`link.guest.<group>.<random>`,
   * `link.client.<group>.<random>`), so that NATS permissions can keep other applications from hearing them. None unless given.
   */
  readonly group?: string | undefined;
  /**
   * A token, as text or bytes: see `armature token create`. One with grants is shown at the front door. One with a role is for
   * `admin`, and is never shown to anybody. For the routing `router`; a direct client holds the secret, and needs none.
   */
  readonly token?: Uint8Array | string | undefined;
  /**
   * Who gives the commands of administration, for the history, where the secret allows them: 1 to 128 printable characters. `an
   * application` unless given. Of a token it is the subject.
   */
  readonly author?: string | undefined;
  /**
   * Operations under way at a time, 512 by default; what is started beyond that waits its turn, within its own time. More than
   * the default is of use only over long distances.
   */
  readonly operationsAtOnce?: number;
}

export interface ClientPorts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

/** The paper's client pulls the membership view every ten seconds (section 6.4). */
const VIEW_INTERVAL_MS = 10_000;

export class Client {
  readonly admin: Admin;
  readonly #routing: Routing;
  readonly #ports: ClientPorts;
  readonly #close: () => Promise<void>;

  constructor(parts: { routing: Routing; admin: Admin; ports: ClientPorts; close: () => Promise<void> }) {
    this.#routing = parts.routing;
    this.admin = parts.admin;
    this.#ports = parts.ports;
    this.#close = parts.close;
  }

  /**
   * A bucket of text values, or, with options, of whatever the codec makes. Cheap; whether the bucket exists shows at the first
   * operation.
   */
  bucket(name: string): Bucket<string>;
  bucket<T>(name: string, options: BucketOptions<T>): Bucket<T>;
  bucket<T>(name: string, options?: BucketOptions<T>): Bucket<T> | Bucket<string> {
    const env = { routing: this.#routing, clock: this.#ports.clock, random: this.#ports.random };
    return options === undefined ? new Bucket<string>(env, name, { codec: utf8 }) : new Bucket<T>(env, name, options);
  }

  /** Waits for requests in hand and closes the connection. */
  close(): Promise<void> {
    return this.#close();
  }
}

/**
 * A client over a bus that is there already; `close` drains it, and takes its gauges out of the telemetry. Errors:
 * `invalid-argument`, `invalid-config`, `no-cluster`.
 */
export async function connectOver(ports: ClientPorts, options: ClientOptions): Promise<Client> {
  const telemetry = scopedTelemetry(ports.telemetry);
  try {
    return await openClient({ ...ports, telemetry }, options);
  } catch (thrown) {
    telemetry.close();
    throw thrown;
  }
}

async function openClient(ports: ClientPorts & { readonly telemetry: ScopedTelemetry }, options: ClientOptions): Promise<Client> {
  const cluster = unwrap(parseClusterName(options.cluster));
  const prefix = options.prefix ?? DEFAULT_PREFIX;
  const name = clientName(options.group, ports.random);
  const subjects = subjectsOf(prefix, cluster);
  const { bus, clock } = ports;
  const pace = new Pace(clock, { ...CLIENT_TURNS, atOnce: checkedAtOnce(options.operationsAtOnce) }, CLIENT_BYTES);
  const author = unwrap(parseAuthor(options.author ?? 'an application'));
  const paced = (routing: Routing): Routing => new PacedRouting(routing, pace);
  if ((options.routing ?? 'router') === 'router')
    return openGuest(ports, options, { cluster, prefix, name, subjects, author, paced });
  if (options.token !== undefined) throw tokenOfDirectClient();
  const secrets = secretsOf(options.secret);
  const sealer = createSealer(secrets, cluster);
  const participant = await Participant.open(
    { prefix, cluster, role: 'client', name, secrets, seeds: [], gossipIntervalMs: VIEW_INTERVAL_MS },
    { ...ports, historyStore: undefined },
  );
  participant.start({}, (kind) => new ArmatureError('invalid-argument', `a client does not answer ${kind}`));
  const view = await requireToHear(bus)
    .then(() => participant.membership.refresh())
    .catch(async (thrown: unknown) => {
      await participant.stop();
      throw thrown;
    });
  if (view.cluster === undefined) {
    await participant.stop();
    throw new ArmatureError('no-cluster', `no node on this bus knows of a cluster named ${cluster}`, {
      remedy: 'Check the cluster name and prefix, and that its nodes run and the cluster was created: armature cluster status',
    });
  }
  const link = new AdminLink({ ...ports, prefix, cluster, name, proof: proofByHolderOfSecret(secrets, cluster, author) });
  const admin = new Admin({ ...ports, link, subjects, inbox: participant.inbox, author });
  const close = async (): Promise<void> => {
    await link.close();
    await participant.stop();
    await bus.drain();
    ports.telemetry.close();
  };
  return new Client({ routing: paced(new DirectRouting(participant, sealer)), admin, ports, close });
}

interface Names {
  readonly cluster: ClusterName;
  readonly prefix: string;
  readonly name: string;
  readonly subjects: Subjects;
  readonly author: string;
  readonly paced: (routing: Routing) => Routing;
}

/**
 * A client at the front door of routers. It needs no secret; with one, or with a token that has a role, it can administer, over a
 * link of its own.
 */
async function openGuest(
  ports: ClientPorts & { readonly telemetry: ScopedTelemetry },
  options: ClientOptions,
  { cluster, prefix, name, subjects, author, paced }: Names,
): Promise<Client> {
  const { bus, clock, random } = ports;
  const secrets = options.secret === undefined ? undefined : secretsOf(options.secret);
  const common = { ...{ ...ports, prefix, cluster }, limits: { messageBytes: MAX_MESSAGE_BYTES } };
  const token = tokenOf(options.token);
  const isForAdmin = token !== undefined && unwrap(peekToken(token)).role !== undefined;
  const ofSecret = secrets === undefined ? undefined : proofByHolderOfSecret(secrets, cluster, author);
  const proof = isForAdmin ? unwrap(proofOf(token, cluster)) : ofSecret;
  const address = linkAddress('guest', ...name.split('.'));
  const link = LinkEndpoint.open(bus, protocolCodec, { ...common, address, token: isForAdmin ? undefined : token });
  const inbox = new Inbox(bus, subjects, link.address, random);
  await requireToHear(bus).catch((thrown: unknown) => {
    link.close();
    inbox.close();
    throw thrown;
  });
  const adminName = clientName(options.group, random);
  const adminLink = proof === undefined ? undefined : new AdminLink({ ...ports, prefix, cluster, name: adminName, proof });
  const close = async (): Promise<void> => {
    await Promise.all([link.drain(), adminLink?.close()]);
    inbox.close();
    await bus.drain();
    ports.telemetry.close();
  };
  const routing = new RouterRouting({ bus, link, subjects, inbox, clock });
  const admin = new Admin({ ...ports, link: adminLink, subjects, inbox, author });
  return new Client({ routing: paced(routing), admin, ports, close });
}

function tokenOf(token: ClientOptions['token']): Uint8Array | undefined {
  return typeof token === 'string' ? unwrap(tokenFromText(token.trim())) : token;
}

function tokenOfDirectClient(): ArmatureError {
  return new ArmatureError('invalid-config', 'a direct client holds the secret of the cluster, and shows no token', {
    remedy: "Leave out { token }, or use routing: 'router' without the secret.",
    details: { field: 'token' },
  });
}

function clientName(group: string | undefined, random: Random): string {
  const unique = toHex(random.bytes(8));
  if (group === undefined) return unique;
  if (parseNodeId(group).ok) return `${group}.${unique}`;
  throw new ArmatureError('invalid-config', `${quoted(group)} is no name for a group of clients`, {
    remedy: `Use ${NAME_RULE}.`,
  });
}

function checkedAtOnce(wanted = CLIENT_TURNS.atOnce): number {
  if (Number.isSafeInteger(wanted) && wanted >= 1) return wanted;
  throw new ArmatureError('invalid-config', `operationsAtOnce is ${wanted}, and must be a whole number from 1 on`, {
    remedy: 'Leave it out: the default keeps a cluster busy.',
  });
}

function secretsOf(secret: ClientOptions['secret']): Secrets {
  if (secret === undefined) {
    throw new ArmatureError('invalid-config', 'a direct client needs the cluster secret', {
      remedy: "Pass { secret } (the contents of the cluster's key file), or use routing: 'router'.",
    });
  }
  const all = typeof secret === 'string' || secret instanceof Uint8Array ? [secret] : secret;
  return unwrap(checkedSecrets(all.map((one) => (typeof one === 'string' ? utf8Encode(one.trim()) : one))));
}
