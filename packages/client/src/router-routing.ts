/**
 * Router routing: every operation goes to one coordinator, a router if there is any, else a node (paper, section 4.5: "through a
 * generic load balancer"). The bus picks which, and the client stays with it, so that large messages reach one process whole,
 * until it stops answering.
 */
import { ArmatureError, toArmatureError } from '@armature/kernel';
import { forbiddenSubjectOf, type Bus, type LinkAddress, type LinkEndpoint } from '@armature/bus';
import { discover, mayHaveRun, nobodyAnswers, unknownOutcome, type Inbox } from '@armature/coordination';
import {
  RING_UNKNOWN,
  doorClosedByNats,
  frontAddress,
  wishOf,
  type FetchOptions,
  type FrontDoorOf,
  type FrontRequest,
  type Reply,
  type ReplyTo,
  type Request,
  type ScanReply,
  type Subjects,
  type WriteReply,
} from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { Clock } from '@armature/runtime';
import { ReadContext } from './read-context.js';
import type { ClientScan, ClientWrite, Fetched, Routing } from './routing.js';

export interface RouterRoutingEnv {
  readonly bus: Bus;
  readonly link: LinkEndpoint<Request, Reply>;
  readonly subjects: Subjects;
  readonly inbox: Inbox;
  readonly clock: Clock;
}

/** Failures after which another coordinator is worth looking for. */
const LEAVE = new Set(['unreachable', 'timeout', 'closed', 'protocol-mismatch', 'wrong-cluster']);
/** So many that have failed us lately are taken only where no other answers. */
const MAX_SHUNNED = 8;
/** Doors that are remembered: buckets, times coordinators. Those that are not are asked once more. */
const MAX_OPEN = 1_024;

export class RouterRouting implements Routing {
  readonly kind = 'router';
  readonly #env: RouterRoutingEnv;
  #coordinator: Promise<LinkAddress> | undefined;
  /** Coordinators that have failed us, the latest last. */
  readonly #shunned = new Set<string>();
  /** Doors for writing that have answered. */
  readonly #open = new Set<LinkAddress>();

  constructor(env: RouterRoutingEnv) {
    this.#env = env;
  }

  async fetch(address: Address, options: FetchOptions, timeoutMs: number): Promise<Fetched> {
    const reply = await this.#ask({ kind: 'fetch', address, options }, timeoutMs);
    return { siblings: reply.siblings, context: ReadContext.fromBytes(reply.context), receipt: reply.receipt };
  }

  async write(write: ClientWrite, timeoutMs: number): Promise<WriteReply> {
    const context = write.context?.toBytes() ?? new Uint8Array(0);
    try {
      return await this.#ask({ kind: 'write', ring: RING_UNKNOWN, ...write, context }, timeoutMs);
    } catch (thrown) {
      const error = toArmatureError(thrown);
      throw mayHaveRun(error) ? unknownOutcome(`the write was not confirmed: ${error.message}`, error) : error;
    }
  }

  scan(scan: ClientScan, timeoutMs: number): Promise<ScanReply> {
    return this.#ask({ kind: 'scan', ...scan }, timeoutMs);
  }

  /** At the door of the request's bucket and right. */
  async #ask<Q extends FrontRequest>(request: Q, timeoutMs: number): Promise<ReplyTo<Q>> {
    const { bucket, right } = wishOf(request);
    const doorOf = (server: LinkAddress): LinkAddress => frontAddress(bucket, right, server) as LinkAddress;
    const found = (this.#coordinator ??= this.#find(doorOf, { bucket, right }));
    let server: LinkAddress | undefined;
    try {
      server = await found;
      const door = doorOf(server);
      const leftMs = right !== 'write' || this.#open.has(door) ? timeoutMs : await this.#knock(door, timeoutMs);
      return (await this.#env.link.request(door, request, leftMs)) as ReplyTo<Q>;
    } catch (thrown) {
      const error = toArmatureError(thrown);
      const subject = forbiddenSubjectOf(error);
      if (subject !== undefined) throw doorClosedByNats({ bucket, right }, subject, error.details['executed']);
      if ((server === undefined || LEAVE.has(error.code)) && this.#coordinator === found) this.#leave(server);
      throw thrown;
    }
  }

  /**
   * Before the first write at a door. NATS says of a message that it was denied, and not of which: so nobody can tell whether a
   * write was, unless something was asked before that does nothing. Resolves with what is left of the time. Errors: those of a
   * request that has not been sent.
   */
  async #knock(door: LinkAddress, timeoutMs: number): Promise<number> {
    const { link, clock } = this.#env;
    const untilMs = clock.monotonicMs() + timeoutMs;
    try {
      await link.request(door, { kind: 'ping' }, timeoutMs);
    } catch (thrown) {
      const { code, message, remedy, details } = toArmatureError(thrown);
      throw new ArmatureError(code === 'timeout' ? 'unreachable' : code, message, {
        remedy,
        cause: thrown,
        details: { ...details, executed: 'no' },
      });
    }
    if (this.#open.size >= MAX_OPEN) this.#open.clear();
    this.#open.add(door);
    return Math.max(1, untilMs - clock.monotonicMs());
  }

  #leave(server: LinkAddress | undefined): void {
    this.#coordinator = undefined;
    if (server === undefined) return;
    this.#shunned.delete(server);
    this.#shunned.add(server);
    const [first] = this.#shunned;
    if (this.#shunned.size > MAX_SHUNNED && first !== undefined) this.#shunned.delete(first);
  }

  /** Somebody who answers at that door. Whether it is a router of the cluster cannot be proved to whoever holds no secret. */
  async #find(doorOf: (server: LinkAddress) => LinkAddress, door: FrontDoorOf): Promise<LinkAddress> {
    const { link } = this.#env;
    const prove = async (server: LinkAddress, timeoutMs: number): Promise<void> => {
      await link.request(doorOf(server), { kind: 'ping' }, timeoutMs).catch((thrown: unknown) => {
        const subject = forbiddenSubjectOf(toArmatureError(thrown));
        throw subject === undefined ? thrown : doorClosedByNats(door, subject, 'no');
      });
    };
    const address = await discover({ ...this.#env, own: link.address, prove, shunned: this.#shunned }, 'router', 'node');
    if (address !== undefined) return address;
    throw nobodyAnswers(
      this.#env.bus,
      'no router and no node of this cluster answers on the bus',
      'Check the cluster name and prefix, and that the processes run: armature cluster status',
    );
  }
}
