/**
 * An intruder at the doors of administration: somebody who was given the token of a viewer, and would like to do more than look.
 * He tries it with every role's commands, with a token of an administrator that has ended, with one that was revoked, with one of
 * another cluster under the same secret, with one under another secret, with what he has overheard of somebody else's, and with
 * none. What a viewer may do is said here once more, in a list of its own.
 *
 * Beside him an honest operator gives commands, so that there are frames of his to be overheard, and recorded by the hostile
 * client. Of these, no more may be on record than he has given.
 */
import {
  pick,
  toArmatureError,
  unwrap,
  utf8Encode,
  type ArmatureError,
  type BucketName,
  type NodeId,
  type Random,
} from '@armature/kernel';
import { LinkEndpoint, linkAddress, tokenShownIn, type BusMessage, type LinkAddress } from '@armature/bus';
import type { CommandRecord, Reply, Request } from '@armature/protocol';
import { DEFAULT_BUCKET_PROPERTIES, RING_UNKNOWN, adminAddress, protocolCodec } from '@armature/protocol';
import { claimOf, deriveTokenKeys, proofOf, sealToken, type Token, type TokenKeys, type TokenProof } from '@armature/rights';
import { addressOf } from '@armature/ring';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { BEGINNING_MS } from '../world/world.js';

const NAME = 'trudy';
const OPERATOR = 'olga';
/** Mean time between two of his attempts, and between two commands of the operator, virtual ms. */
const EVERY_MS = 40;
const OPERATES_EVERY_MS = 1_500;
const PATIENCE_MS = 1_000;
/** Requests that a viewer is told the answer to. */
const LOOKS: ReadonlySet<string> = new Set(['status', 'history', 'commands', 'holdings', 'ping', 'worker status']);
/** What of that is recorded. */
const RECORDED_LOOKS: ReadonlySet<string> = new Set(['holdings']);
const FAR_MS = 2 ** 45;

/** It ended at the beginning of 1970. */
const ENDED = 'a token that has ended';
const REVOKED = 'a token that was revoked';
/** After its start, a process may not have heard of a revocation for so long. Virtual ms. */
const UNAWARE_MS = 15_000;

/** With what he comes, and whether it is his by right. */
interface Attempt {
  readonly what: string;
  readonly isViewer: boolean;
  readonly link: LinkEndpoint<Request, Reply>;
}

export class Intruder {
  readonly #cluster: SimulatedCluster;
  readonly #workers: readonly string[];
  readonly #random: Random;
  readonly #attempts: Attempt[] = [];
  readonly #operator: LinkEndpoint<Request, Reply>;
  readonly #carriedOut: string[] = [];
  /** Processes whose clocks have been so far behind that no token had ended for them: they are shown none that has. */
  readonly #longAgo = new Set<string>();
  /** Processes that had just started when he tried something: they may not have heard of the revocation. */
  readonly #unaware = new Set<string>();
  /** Those of them that have taken the revoked token. */
  readonly #tookRevoked = new Set<string>();
  readonly #enteredMs: number;
  #given = 0;
  #tried = 0;
  #isStopped = false;
  #hasOverheard = false;

  private constructor(cluster: SimulatedCluster, workers: readonly string[]) {
    this.#cluster = cluster;
    this.#workers = workers;
    this.#enteredMs = cluster.world.nowMs;
    this.#random = cluster.world.random(NAME);
    const { secrets } = cluster;
    const { cluster: name } = cluster.names;
    const generation = generationOf(cluster);
    const keys = deriveTokenKeys(secrets, name);
    const proof = (given: Partial<Token>, by = keys): TokenProof => {
      const token: Token = { subject: NAME, grants: [], role: 'administrator', expiresAtMs: FAR_MS, generation, ...given };
      return shownTo(keys, unwrap(sealToken(token, by)), by);
    };
    const stranger = deriveTokenKeys([utf8Encode('the secret of somebody else')], name);
    this.#operator = this.#open(OPERATOR, proof({ subject: OPERATOR, role: 'operator' }));
    this.#try('the token of a viewer', proof({ role: 'viewer' }), true);
    this.#try(ENDED, proof({ expiresAtMs: 1 }));
    this.#try(REVOKED, proof({ generation: generation - 1 }));
    this.#try('the token of another cluster', proof({}, deriveTokenKeys(secrets, 'mall' as never)));
    this.#try('a token under another secret', proof({}, stranger));
    this.#try('no token', undefined);
    const { overheard } = cluster;
    cluster.overheard = (source, message) => {
      overheard(source, message);
      this.#overhear(message);
    };
  }

  /**
   * Before he comes tokens are revoked, if none have been, so that there is a revoked one; and before anything goes wrong, for
   * who does not hear of it takes them.
   */
  static async enter(cluster: SimulatedCluster, workers: readonly string[]): Promise<Intruder> {
    const [first] = cluster.running;
    if (first === undefined) throw new Error('no node runs');
    const { access } = first.participant.membership.view;
    if (access.generation === 0) await cluster.propose(first.options.node, { kind: 'access', ...access, generation: 1 });
    while (generationOf(cluster) === 0) await cluster.world.sleep(EVERY_MS);
    return new Intruder(cluster, workers);
  }

  /** How often he has tried. */
  get tried(): number {
    return this.#tried;
  }

  start(): void {
    this.#again(EVERY_MS, () => this.#act());
    this.#again(OPERATES_EVERY_MS, () => this.#operate());
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** What he has brought about. `kept`: the commands on record. */
  judge(kept: readonly CommandRecord[]): string[] {
    const found = this.#carriedOut.map((what) => `intruder: ${what}`);
    for (const { options, participant } of this.#cluster.running)
      if (participant.membership.view.buckets.has(NAME as BucketName))
        found.push(`intruder: ${options.node} has taken in his proposal`);
    for (const { author, command, outcome, at } of kept)
      if (
        author === NAME &&
        outcome === 'done' &&
        !RECORDED_LOOKS.has(command) &&
        !this.#longAgo.has(at) &&
        !this.#tookRevoked.has(at)
      )
        found.push(`intruder: ${command} is on record as done for him at ${at}`);
    const operated = kept.filter(({ author }) => author === OPERATOR).reduce((sum, { count }) => sum + count, 0);
    if (operated > this.#given)
      found.push(`intruder: ${operated} commands of the operator are on record, who gave ${this.#given}`);
    return found;
  }

  #again(everyMs: number, work: () => void): void {
    const { world } = this.#cluster;
    world.at(world.nowMs + 2 * everyMs * this.#random.float(), () => {
      if (this.#isStopped) return;
      work();
      this.#again(everyMs, work);
    });
  }

  #try(what: string, proof: TokenProof | undefined, isViewer = false): void {
    this.#attempts.push({ what, isViewer, link: this.#open(`${NAME}${this.#attempts.length}`, proof) });
  }

  #open(name: string, proof: TokenProof | undefined): LinkEndpoint<Request, Reply> {
    const shown = proof === undefined ? {} : { keys: [proof.key], token: proof.claims };
    const ports = this.#cluster.stranger(name);
    const address = linkAddress('guest', name);
    return LinkEndpoint.open(ports.bus, protocolCodec, { ...ports, ...this.#cluster.names, address, ...shown });
  }

  /** The claims of somebody else, with a key of his own making. */
  #overhear({ subject, payload }: BusMessage): void {
    if (this.#hasOverheard || !subject.includes('.link.admin.')) return;
    const shown = tokenShownIn(payload, this.#cluster.names.cluster);
    if (shown === undefined || typeof shown === 'string' || shown.address.includes(NAME)) return;
    this.#hasOverheard = true;
    this.#try('the claims of somebody else', { claims: Uint8Array.from(shown.token), key: this.#random.bytes(32) });
  }

  #act(): void {
    const attempt = pick(this.#random, this.#attempts);
    const server = pick(this.#random, this.#servers());
    const request = pick(this.#random, this.#wishes());
    if (attempt === undefined || server === undefined || request === undefined) return;
    this.#look();
    if (attempt.what === ENDED && this.#longAgo.has(server)) return;
    this.#tried++;
    const wish = request.kind === 'worker' ? `worker ${request.command}` : request.kind;
    attempt.link.request(adminAddress(server) as LinkAddress, request, PATIENCE_MS).then(
      () => {
        this.#look();
        const isHis = (attempt.isViewer && LOOKS.has(wish)) || wish === 'ping';
        const isOfLongAgo = attempt.what === ENDED && this.#longAgo.has(server);
        const isUnaware = attempt.what === REVOKED && this.#unaware.has(server);
        if (isUnaware && !isHis) this.#tookRevoked.add(server);
        if (!isHis && !isOfLongAgo && !isUnaware)
          this.#carriedOut.push(`${wish} was carried out at ${server}, with ${attempt.what}`);
      },
      (thrown: unknown) => this.#checkRefusal(attempt, wish, toArmatureError(thrown)),
    );
  }

  /** What is refused for its role is told which one it takes; nobody is told more than that he is not let in. */
  #checkRefusal({ isViewer, what }: Attempt, wish: string, { code, details }: ArmatureError): void {
    const isNamed = details['role'] === 'operator' || details['role'] === 'administrator';
    const isOfRole = code === 'forbidden' && isViewer && !LOOKS.has(wish);
    if (isOfRole && !isNamed && !OTHERS.has(wish)) this.#carriedOut.push(`${wish} was refused without a role, with ${what}`);
  }

  #look(): void {
    for (const server of this.#servers()) if (this.#mayBeUnaware(server)) this.#unaware.add(server);
    for (const server of this.#servers())
      if (this.#cluster.clockAheadMs(nameOf(server)) < -BEGINNING_MS / 2) this.#longAgo.add(server);
  }

  /**
   * A node hears of the membership when it has started, if it can hear anybody. Workers start before he comes, and ask every ten
   * seconds.
   */
  #mayBeUnaware(server: string): boolean {
    const { world, members, running } = this.#cluster;
    if (server.startsWith('anti-entropy.')) return world.nowMs - this.#enteredMs < UNAWARE_MS;
    const member = members.get(nameOf(server) as NodeId);
    const node = running.find(({ options }) => `node.${options.node}` === server);
    if (member === undefined || node === undefined) return false;
    return node.participant.membership.view.cluster === undefined || world.nowMs - (member.process?.startedMs ?? 0) < UNAWARE_MS;
  }

  #operate(): void {
    const node = pick(this.#random, this.#cluster.running);
    if (node === undefined) return;
    this.#given++;
    const door = adminAddress(`node.${node.options.node}`) as LinkAddress;
    this.#operator.request(door, { kind: 'holdings' }, PATIENCE_MS).catch(() => undefined);
  }

  #servers(): readonly string[] {
    const { running, routers } = this.#cluster;
    return [
      ...running.map(({ options }) => `node.${options.node}`),
      ...[...routers.keys()].map((name) => `router.${name}`),
      ...this.#workers.map((name) => `anti-entropy.${name}`),
    ];
  }

  #wishes(): readonly Request[] {
    const view = this.#cluster.running[0]?.participant.membership.view;
    const share = { ring: view?.ringVersion ?? RING_UNKNOWN, partition: 0 as never, n: 3 };
    const [initiator = 'n1' as NodeId, peer = initiator] = view?.ring === undefined ? [] : view.placementOf(0 as never, 3).owners;
    const properties = DEFAULT_BUCKET_PROPERTIES;
    const command: CommandRecord = {
      ...{
        id: '0000000000000000',
        firstMs: 1,
        lastMs: 1,
        count: 1,
        at: 'node.n1',
        author: OPERATOR,
        command: 'reap',
        outcome: 'done',
      },
    };
    return [
      { kind: 'status' },
      { kind: 'history' },
      { kind: 'commands' },
      { kind: 'holdings' },
      { kind: 'ping' },
      { kind: 'worker', command: 'status' },
      { kind: 'worker', command: 'pause' },
      { kind: 'exchange', ...share, peer, bucket: undefined },
      { kind: 'reap', ...share, start: undefined, bucket: undefined },
      { kind: 'propose', change: { kind: 'bucket', bucket: NAME as BucketName, properties }, author: OPERATOR },
      { kind: 'keep-command', command },
      { kind: 'gossip', fingerprint: NAME, records: [] },
      { kind: 'fetch', address: addressOf('default' as BucketName, utf8Encode(NAME)), options: { r: 'default', pr: 'default' } },
    ];
  }
}

/** Of a process, e.g. `n1` of `node.n1`. */
function nameOf(server: string): string {
  return server.slice(server.indexOf('.') + 1);
}

/** No business of these doors, whatever the role. */
const OTHERS: ReadonlySet<string> = new Set(['keep-command', 'gossip', 'fetch']);

/** The least that a process which runs goes by. */
function generationOf({ running, routers }: SimulatedCluster): number {
  const all = [...running, ...routers.values()].map(({ participant }) => participant.membership.view.access.generation);
  return Math.min(...all);
}

/** What its holder shows to a door with these keys, and seals with. A token for another cluster is put forward as one of this. */
function shownTo(keys: TokenKeys, token: Uint8Array, by: TokenKeys): TokenProof {
  if (by.cluster === keys.cluster) return unwrap(proofOf(token, keys.cluster));
  const claims = token.subarray(0, -16);
  const [key] = unwrap(claimOf(claims, { ...by, cluster: keys.cluster })).keys;
  return { claims, key: key as Uint8Array };
}
