/**
 * Discovery: the link address of some process of a kind, whichever the bus picks. All of a kind listen in one queue group, so
 * the bus deals questions out among them.
 *
 * Answers bear no proof, and anybody may give some. So an answer is a hint: whoever is named is asked over a link whether it is
 * there, several at a time, and the first that answers is taken. On the inner link, and at the door of administration, only a
 * holder of the secret can. The question is put again until then, so that an honest answer comes among others; that the bus says
 * "nobody listens" only has the next kind asked for, too.
 */
import { ArmatureError, toArmatureError } from '@armature/kernel';
import { NO_RESPONDERS, parseLinkAddress, type Bus, type BusMessage, type LinkAddress } from '@armature/bus';
import type { DiscoverableRole, Subjects } from '@armature/protocol';
import { repeat, type Clock, type Timer } from '@armature/runtime';
import type { Inbox, OpenQuestion } from './inbox.js';

export interface DiscoveryEnv {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly subjects: Subjects;
  readonly inbox: Inbox;
  /** Of whoever looks for somebody else. */
  readonly own: LinkAddress;
  /** Asks the process at that address over a link; resolves when it answers. Rejects as requests do. */
  prove(address: LinkAddress, timeoutMs: number): Promise<unknown>;
  /** Addresses that have failed the caller lately: taken where nobody else answers. */
  readonly shunned?: ReadonlySet<string> | undefined;
}

/** For answers, of each kind. */
const DISCOVER_TIMEOUT_MS = 500;
/** One that stands still gets its share of the questions: so the question is put again, to whomever. */
const DISCOVER_AGAIN_MS = 50;
/** Two round trips around the world. */
const PROOF_TIMEOUT_MS = 1_000;
/**
 * Somebody who names processes that do not exist, or do not answer, must name so many at a time to keep others from being asked.
 */
const PROOFS_AT_ONCE = 32;
/** For somebody else, when one has answered that has failed the caller lately. */
const SHUNNED_MS = 250;
const MAX_OUT_OF_REACH = 256;
const MAX_ANSWER_BYTES = 256;

/** What the addresses of each kind begin with. */
const PREFIX: Readonly<Record<DiscoverableRole, string>> = { node: 'node.', newcomer: 'node.', router: 'router.' };
/** Why one did not prove that it is there, where that is worth telling when nobody did. */
const TELLING = new Set(['wrong-cluster', 'protocol-mismatch', 'unauthenticated', 'forbidden', 'overloaded']);

/**
 * The link address of some process of the first of these kinds that answers; undefined when none does. Rejects when none has
 * proved itself, with why: `wrong-cluster`, `protocol-mismatch`, `unauthenticated`, `forbidden`, `overloaded`.
 */
export function discover(env: DiscoveryEnv, ...roles: readonly DiscoverableRole[]): Promise<LinkAddress | undefined> {
  return new Search(env, roles).found;
}

class Search {
  readonly found: Promise<LinkAddress | undefined>;
  readonly #env: DiscoveryEnv;
  readonly #roles: readonly DiscoverableRole[];
  /**
   * Those that are asked whether they are there. Who has failed is asked again when he is named again: his answer may have been
   * in somebody else's name.
   */
  readonly #proving = new Set<string>();
  /** Those that the bus does not let this process ask. */
  readonly #outOfReach = new Set<string>();
  readonly #questions: OpenQuestion[] = [];
  readonly #timers: Timer[] = [];
  #settle: { resolve: (address: LinkAddress | undefined) => void; reject: (problem: ArmatureError) => void };
  /** Of the kinds, how many have been asked for. */
  #begun = 0;
  #isOver = false;
  /** Nobody is asked for any more; who has been named may still prove himself. */
  #isLate = false;
  #shunned: LinkAddress | undefined;
  #problem: ArmatureError | undefined;

  constructor(env: DiscoveryEnv, roles: readonly DiscoverableRole[]) {
    this.#env = env;
    this.#roles = roles;
    this.#settle = { resolve: () => undefined, reject: () => undefined };
    this.found = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#next();
  }

  /** Asks for the next kind, or, where that was the last, waits for those that have been named. */
  #next(): void {
    if (this.#isOver) return;
    const role = this.#roles[this.#begun];
    if (role === undefined) {
      this.#isLate = true;
      this.#endIfIdle();
      return;
    }
    const place = ++this.#begun;
    const { bus, clock, subjects, inbox } = this.#env;
    const question = inbox.ask((message) => this.#hear(message, role, place));
    const subject = subjects.discover(role);
    const ask = (): void => bus.publish(subject, new Uint8Array(0), { reply: question.reply });
    const goOn = (): void => {
      if (place === this.#begun) this.#next();
    };
    this.#questions.push(question);
    this.#timers.push(
      repeat(clock, DISCOVER_AGAIN_MS, () => (isDenied(bus, subject) ? goOn() : ask())),
      clock.after(DISCOVER_TIMEOUT_MS, goOn),
    );
    ask();
  }

  #hear({ status, payload }: BusMessage, role: DiscoverableRole, place: number): void {
    if (status === NO_RESPONDERS && place === this.#begun && place < this.#roles.length) this.#next();
    if (status !== undefined || payload.length > MAX_ANSWER_BYTES || this.#isLate || this.#proving.size >= PROOFS_AT_ONCE) return;
    const address = parseLinkAddress(Buffer.from(payload).toString('utf8'));
    if (address.ok && address.value.startsWith(PREFIX[role])) this.#look(address.value);
  }

  #look(address: LinkAddress): void {
    if (address === this.#env.own || this.#proving.has(address) || this.#outOfReach.has(address) || this.#isOver) return;
    this.#proving.add(address);
    const done = (): void => {
      this.#proving.delete(address);
      this.#endIfIdle();
    };
    this.#env.prove(address, PROOF_TIMEOUT_MS).then(
      () => {
        this.#proved(address);
        done();
      },
      (thrown: unknown) => {
        const error = toArmatureError(thrown);
        if (TELLING.has(error.code)) this.#problem = error;
        if (error.code === 'forbidden' && this.#outOfReach.size < MAX_OUT_OF_REACH) this.#outOfReach.add(address);
        done();
      },
    );
  }

  #proved(address: LinkAddress): void {
    if (this.#env.shunned?.has(address) !== true) {
      this.#end(address);
      return;
    }
    this.#shunned ??= address;
    this.#timers.push(this.#env.clock.after(SHUNNED_MS, () => this.#end(this.#shunned)));
  }

  #endIfIdle(): void {
    if (this.#isLate && this.#proving.size === 0) this.#end(this.#shunned);
  }

  #end(address: LinkAddress | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
    for (const question of this.#questions) question.close();
    if (address === undefined && this.#problem !== undefined) this.#settle.reject(this.#problem);
    else this.#settle.resolve(address);
  }
}

/** Whether the bus has just refused to let this process publish there. */
function isDenied({ denials }: Bus, subject: string): boolean {
  return denials.some((denial) => denial.operation === 'publish' && denial.subject === subject);
}

/** The error of whoever has found nobody. It names what the bus has not permitted, since that may be why. */
export function nobodyAnswers(bus: Bus, what: string, remedy: string): ArmatureError {
  const { denials } = bus;
  if (denials.length === 0) return new ArmatureError('unreachable', what, { remedy });
  const denied = denials.map(({ operation, subject }) => `${operation} to ${subject}`).join(', or to ');
  return new ArmatureError('unreachable', `${what}, and NATS does not permit this process to ${denied}`, {
    remedy: `${PERMIT} ${remedy}`,
    details: { denials },
  });
}

/** Throws `invalid-config` when the bus does not let this process hear what it subscribes to. */
export async function requireToHear(bus: Bus): Promise<void> {
  await bus.flush().catch(() => undefined); // a lost connection says nothing about permissions
  const denials = bus.denials.filter(({ operation }) => operation === 'subscribe');
  if (denials.length === 0) return;
  const subjects = denials.map(({ subject }) => subject).join(', ');
  throw new ArmatureError('invalid-config', `NATS does not permit this process to subscribe to ${subjects}`, {
    remedy: `Set the group of its NATS user (--group, or { group } of the library). ${PERMIT}`,
    details: { denials },
  });
}

const PERMIT = 'Give the NATS user of this process the permissions of its role: armature nats-config writes them.';
