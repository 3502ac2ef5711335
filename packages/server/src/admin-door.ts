/**
 * The door of administration of a node, a router or an anti-entropy worker: where people, and programs of theirs, give commands
 * and look at what the cluster does. What may be asked there, and the role that it takes, is a table
 * (`protocol/administration.ts`).
 *
 * Whoever comes shows what his token says, and has sealed his frame with a key that only he and holders of the secret can have
 * (`rights/token-proof.ts`). So each token has an endpoint of its own, which is a link like the inner one under that key: nobody
 * else speaks in its name, a recording does nothing, and answers can be told from made-up ones.
 *
 * A frame is verified before an endpoint is opened for it, so that made-up tokens take no room. Whether the token still counts,
 * and what it allows, is looked at with each command.
 *
 * Commands are recorded with who gave them: a change of the membership in its history, the rest, and what was refused, among the
 * records of commands.
 */
import { toArmatureError, toBinaryString, toHex, type ClusterName, type Secrets } from '@armature/kernel';
import {
  LinkEndpoint,
  PeerQuota,
  ReassemblyBudget,
  isFrameSealedWith,
  linkAddress,
  refusalPayload,
  tokenShownIn,
  type BusMessage,
  type BusSubscription,
  type LinkAddress,
  type LinkSender,
  type QuotaLimits,
  type RefusalCode,
} from '@armature/bus';
import {
  ADMINISTRATION_KINDS,
  MAX_MESSAGE_BYTES,
  adminAddress,
  commandWords,
  doorCodec,
  isAdministration,
  isGuest,
  isRecorded,
  leastRoleFor,
  noAdministration,
  subjectsOf,
  type AdministrationRequest,
  type CommandOutcome,
  type CommandRecord,
  type Reply,
  type Request,
} from '@armature/protocol';
import type { Membership } from '@armature/membership';
import { authorizeRole, claimOf, deriveTokenKeys, type Access, type Token, type TokenKeys } from '@armature/rights';
import type { Counter } from '@armature/runtime';
import { HandedEndpoints, type HandedEndpoint } from './handed-endpoints.js';
import type { ServerPorts } from './server-options.js';

export interface AdminDoorEnv extends ServerPorts {
  readonly prefix: string;
  readonly cluster: ClusterName;
  readonly secrets: Secrets;
  /** Of the process whose door it is, e.g. `node.n1`. */
  readonly server: string;
  readonly membership: Pick<Membership, 'view' | 'refresh'>;
  /** Carries out what the holder of a token may have done. */
  readonly answer: (request: AdministrationRequest, sender: LinkSender) => Reply | Promise<Reply>;
  /** Resolves when the record is kept, or is known not to be. */
  readonly keep: (command: CommandRecord) => Promise<void>;
}

/** Tokens in use at a time. */
const MAX_ENDPOINTS = 64;
/** Commands are small: the largest is a bucket's properties, or the members of a new cluster. */
const COMMAND_BYTES = 1024 * 1024;
/** What is remembered of those who ask, and held of their incomplete messages, of all tokens together; one group gets half. */
const PEERS: QuotaLimits = { peers: 1_024, peersPerGroup: 512 };
const REASSEMBLY_BYTES = 16 * 1024 * 1024;
/** Nothing was done, and whoever asked asks again by himself. */
const TO_BE_REPEATED: ReadonlySet<string> = new Set(['overloaded', 'stale-ring']);

export class AdminDoor {
  readonly #env: AdminDoorEnv;
  readonly #keys: TokenKeys;
  readonly #address: LinkAddress;
  readonly #subscription: BusSubscription;
  readonly #reassembly = new ReassemblyBudget(REASSEMBLY_BYTES, REASSEMBLY_BYTES / 2);
  readonly #quota = new PeerQuota(PEERS);
  /** By the key of the token. */
  readonly #endpoints = new HandedEndpoints(MAX_ENDPOINTS);
  readonly #refusals: Counter;

  constructor(env: AdminDoorEnv) {
    this.#env = env;
    this.#keys = deriveTokenKeys(env.secrets, env.cluster);
    this.#address = linkAddress(...adminAddress(env.server).split('.'));
    this.#refusals = env.telemetry.counter(
      'armature_admin_refusals_total',
      'Commands of administration refused for want of a token that counts, or of its role.',
    );
    const subject = subjectsOf(env.prefix, env.cluster).admin(env.server);
    this.#subscription = env.bus.subscribe(subject, (message) => this.#receive(message));
  }

  /** Takes no new commands, and finishes those in hand. */
  async stop(): Promise<void> {
    this.#subscription.unsubscribe();
    await this.#endpoints.drain();
  }

  #receive(message: BusMessage): void {
    const { payload } = message;
    const shown = tokenShownIn(payload, this.#env.cluster);
    if (shown === undefined) return;
    if (typeof shown === 'string') {
      this.#refuse(message, shown);
      return;
    }
    // Answers go to the address that the frame names: they are no way to reach members.
    const claim = isGuest(shown.address) ? claimOf(shown.token, this.#keys) : undefined;
    const key = claim?.ok === true ? claim.value.keys.find((one) => this.#isProved(one, payload, shown.address)) : undefined;
    if (claim?.ok !== true || key === undefined) {
      this.#refuse(message, 'unauthenticated');
      return;
    }
    const endpoint = this.#endpointFor(key, claim.value.token);
    if (endpoint === undefined) message.respond(refusalPayload('overloaded'));
    else endpoint.receive(message);
  }

  #endpointFor(key: Uint8Array, token: Token): HandedEndpoint | undefined {
    const name = toBinaryString(key);
    const known = this.#endpoints.use(name);
    if (known !== undefined || !this.#endpoints.makeRoom()) return known;
    const endpoint = this.#open(key, token);
    this.#endpoints.add(name, endpoint);
    return endpoint;
  }

  #isProved(key: Uint8Array, frame: Uint8Array, from: LinkAddress): boolean {
    return isFrameSealedWith(key, frame, from, this.#address);
  }

  #refuse(message: BusMessage, code: RefusalCode): void {
    this.#refusals.add();
    message.respond(refusalPayload(code));
  }

  #open(key: Uint8Array, token: Token): HandedEndpoint {
    const { bus, clock, random, log, telemetry, prefix, cluster } = this.#env;
    const codec = doorCodec(ADMINISTRATION_KINDS, noAdministration);
    const endpoint = LinkEndpoint.open<Request, Reply>(bus, codec, {
      ...{ prefix, cluster, clock, random, log, telemetry, address: this.#address },
      keys: [key],
      limits: { messageBytes: MAX_MESSAGE_BYTES, incomingBytes: COMMAND_BYTES },
      isHanded: true,
      reassembly: this.#reassembly,
      quota: this.#quota,
    });
    endpoint.serve((request, sender) => this.#answer(token, request, sender));
    return endpoint;
  }

  #answer(token: Token, request: Request, sender: LinkSender): Reply | Promise<Reply> {
    if (request.kind === 'ping') return { kind: 'ping' };
    if (!isAdministration(request)) throw noAdministration(request.kind);
    return this.#carryOut(token, request, sender);
  }

  async #carryOut(token: Token, request: AdministrationRequest, sender: LinkSender): Promise<Reply> {
    const { clock, answer } = this.#env;
    const refusal = authorizeRole(await this.#access(), clock.nowMs(), token, leastRoleFor(request));
    if (refusal !== undefined) {
      this.#refusals.add();
      await this.#record(token, request, refusal.code, true);
      throw refusal;
    }
    let reply: Reply;
    try {
      reply = await answer(inTheNameOf(token, request), sender);
    } catch (thrown) {
      const { code } = toArmatureError(thrown);
      const isWork = leastRoleFor(request) !== 'viewer' && !TO_BE_REPEATED.has(code);
      await this.#record(token, request, code, isWork);
      throw thrown;
    }
    await this.#record(token, request, 'done', isRecorded(request));
    return reply;
  }

  /** Who knows of no cluster yet asks around first: the others may know that the token was revoked. */
  async #access(): Promise<Access> {
    const { membership } = this.#env;
    if (membership.view.cluster === undefined) await membership.refresh().catch(() => undefined);
    return membership.view.access;
  }

  async #record(token: Token, request: AdministrationRequest, outcome: CommandOutcome, isKept: boolean): Promise<void> {
    const { clock, random, log, server, keep } = this.#env;
    const nowMs = Math.max(0, Math.floor(clock.nowMs()));
    const what = { author: token.subject, command: commandWords(request), outcome };
    const isLook = leastRoleFor(request) === 'viewer' && outcome === 'done';
    log[isLook ? 'debug' : 'info']({ ...what, role: token.role }, 'a command of administration');
    if (isKept) await keep({ id: toHex(random.bytes(8)), firstMs: nowMs, lastMs: nowMs, count: 1, at: server, ...what });
  }
}

/** Who gave the command is what the token says, whatever the command says. */
function inTheNameOf({ subject }: Token, request: AdministrationRequest): AdministrationRequest {
  return request.kind === 'propose' ? { ...request, author: subject } : request;
}
