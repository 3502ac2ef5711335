/**
 * Being the only one of a name: asks on the bus before this process acts, and goes on making itself known while it does.
 *
 * 1. It asks under its own name, before it listens there itself. Where nobody listens the bus says so at once: that is how nearly every start goes. Who answers has the
 *    name, and this process does not start. Who listens and does not answer stands still, or is a connection that the bus has not missed yet; after two seconds it is passed over.
 * 2. It listens under its name and asks once more, for two that start at once both pass the first question. It also asks everybody whether the cluster of this name has
 *    another secret here.
 * 3. From then on it says every five seconds that it is there. So two that met nobody, because the network was cut or one stood still, find one another; the younger goes.
 *
 * Only what has to do with names is decided here (`name-claim.ts`); what becomes of a process that must go is its owner's business.
 */
import { ArmatureError, type Random } from '@armature/kernel';
import { NO_RESPONDERS, type Bus, type BusMessage, type BusSubscription, type LinkAddress } from '@armature/bus';
import { Inbox } from '@armature/coordination';
import type { Subjects } from '@armature/protocol';
import { repeat, sleep, type Clock, type Logger, type Timer } from '@armature/runtime';
import { describeClaim, formatClaim, judge, newSession, parseClaim, type Claim } from './name-claim.js';

export interface PresenceEnv {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly subjects: Subjects;
  /** Role and name, e.g. `node.n1`. */
  readonly address: LinkAddress;
  /** The first signs what this process says, all verify what others say (`presenceKeys`). */
  readonly keys: readonly Uint8Array[];
  readonly host: string;
  readonly pid: number;
  /** Another process has the name, and this one must go: it is to end. Called once. */
  readonly onLost: (error: ArmatureError) => void;
}

/** Who listens at our name and has not answered by then stands still. In ms of a connected bus. */
const PATIENCE_MS = 2_000;
/** For objections of those who are there: several round trips between sites that are far apart. */
const OBJECTIONS_MS = 150;
/** For somebody who is known to be alive, or was a moment ago. */
const LOOK_MS = 1_000;
/** A question is put again, since messages get lost. */
const AGAIN_MS = 250;
const BEAT_MS = 5_000;
/** One beat in so many goes to everybody, so that another cluster of this name is found out within a minute. */
const BEATS_TO_ALL = 12;

export class Presence {
  readonly #env: PresenceEnv;
  readonly #session: string;
  readonly #startedMs: number;
  readonly #startedAt: string;
  readonly #inbox: Inbox;
  readonly #subscriptions: BusSubscription[] = [];
  /** Sessions of whom it has been logged that they are there. */
  readonly #logged = new Set<string>();
  #isUp = false;
  #isStopped = false;
  #lost: ArmatureError | undefined;
  #beats = 0;
  #timer: Timer | undefined;

  /** Errors: `name-in-use`; `wrong-cluster` where a cluster of this name with another secret is on the bus. */
  static async claim(env: PresenceEnv): Promise<Presence> {
    const presence = new Presence(env);
    try {
      await presence.#claim();
    } catch (thrown) {
      presence.stop();
      throw thrown;
    }
    return presence;
  }

  private constructor(env: PresenceEnv) {
    this.#env = env;
    this.#session = newSession(env.random);
    this.#inbox = new Inbox(env.bus, env.subjects, env.address, env.random);
    this.#startedMs = env.clock.monotonicMs();
    this.#startedAt = new Date(env.clock.nowMs()).toISOString();
  }

  /** Another process of this name that is alive on the bus, if one answers. Takes a second when none does. */
  async another(): Promise<string | undefined> {
    const { subjects, address } = this.#env;
    const claim = await this.#ask(subjects.presenceOf(address), LOOK_MS);
    return claim !== undefined && claim !== 'nobody' && claim.isOurs ? describeClaim(claim) : undefined;
  }

  /** That another process has the name, and has had it for longer: this one must change nothing any more. */
  get lost(): ArmatureError | undefined {
    return this.#lost;
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#inbox.close();
    for (const subscription of this.#subscriptions.splice(0)) subscription.unsubscribe();
  }

  async #claim(): Promise<void> {
    const { bus, clock, subjects, address } = this.#env;
    const own = subjects.presenceOf(address);
    this.#check(await this.#ask(own, PATIENCE_MS));
    this.#subscriptions.push(
      bus.subscribe(own, (message) => this.#hear(message)),
      bus.subscribe(subjects.presence, (message) => this.#hear(message)),
    );
    await bus.flush().catch(() => undefined); // lost meanwhile: the beats find out
    for (const answer of await Promise.all([this.#ask(own, OBJECTIONS_MS), this.#ask(subjects.presence, OBJECTIONS_MS)]))
      this.#check(answer);
    if (this.#lost !== undefined) throw this.#lost;
    this.#isUp = true;
    this.#timer = repeat(clock, BEAT_MS, () => this.#beat());
  }

  /** Throws when whoever answered is to stay. */
  #check(answer: Claim | 'nobody' | undefined): void {
    if (answer === undefined || answer === 'nobody') return;
    const judgement = judge(this.#own(), answer);
    if (judgement === 'stays') throw nameInUse(answer);
    if (judgement === 'stranger') throw otherSecret(answer);
  }

  #own(): Claim {
    const { clock, address, host, pid } = this.#env;
    const ageMs = Math.floor(clock.monotonicMs() - this.#startedMs);
    return { address, session: this.#session, isOurs: true, ageMs, isUp: this.#isUp, host, pid, startedAt: this.#startedAt };
  }

  #beat(): void {
    const { bus, subjects, address, keys } = this.#env;
    const subject = ++this.#beats % BEATS_TO_ALL === 0 ? subjects.presence : subjects.presenceOf(address);
    bus.publish(subject, formatClaim(this.#own(), keys));
  }

  /** A question, or the beat of somebody who has our name or is of another cluster. */
  #hear(message: BusMessage): void {
    const { keys } = this.#env;
    const claim = parseClaim(message.payload, keys);
    if (claim === undefined || this.#isStopped) return;
    const own = this.#own();
    const judgement = judge(own, claim);
    const concerns = judgement === 'stranger' || claim.address === own.address;
    if (judgement === 'self' || !concerns) return;
    message.respond(formatClaim(own, keys));
    if (judgement === 'stays') this.#lose(claim);
    else this.#log(claim, judgement);
  }

  #log(claim: Claim, judgement: 'stranger' | 'goes'): void {
    if (this.#logged.has(claim.session) || this.#logged.size >= MAX_LOGGED) return;
    this.#logged.add(claim.session);
    const error = judgement === 'stranger' ? otherSecret(claim) : nameInUse(claim);
    const what =
      judgement === 'stranger'
        ? 'another cluster of this name, with another secret, is on this bus: nothing that it says is taken in'
        : 'another process has the name of this one; it came later, and is to end';
    this.#env.log.error({ other: describeClaim(claim), remedy: error.remedy }, what);
  }

  #lose(claim: Claim): void {
    if (this.#lost !== undefined) return;
    this.#lost = nameInUse(claim);
    if (!this.#isUp) return; // then the start fails
    this.#env.log.error(
      { err: this.#lost },
      'another process has the name of this one, and has had it for longer: this one ends',
    );
    this.#env.onLost(this.#lost);
  }

  /** Resolves with the first answer that is not our own; `nobody` when the bus says that nobody listens; undefined after so many ms of a connected bus. */
  async #ask(subject: string, limitMs: number): Promise<Claim | 'nobody' | undefined> {
    const { bus, clock, keys } = this.#env;
    let answer: Claim | 'nobody' | undefined;
    let answered: () => void = () => undefined;
    const arrival = new Promise<void>((resolve) => (answered = resolve));
    const question = this.#inbox.ask((message) => {
      const claim = message.status === NO_RESPONDERS ? 'nobody' : parseClaim(message.payload, keys);
      if (answer !== undefined || claim === undefined) return;
      if (claim !== 'nobody' && judge(this.#own(), claim) === 'self') return;
      answer = claim;
      answered();
    });
    for (let waitedMs = 0; waitedMs < limitMs && answer === undefined && !this.#isStopped;) {
      const wasConnected = bus.connected;
      if (wasConnected) bus.publish(subject, formatClaim(this.#own(), keys), { reply: question.reply });
      const waitMs = Math.min(AGAIN_MS, limitMs - waitedMs);
      await Promise.race([arrival, sleep(clock, waitMs)]);
      if (wasConnected && bus.connected) waitedMs += waitMs;
    }
    question.close();
    return answer;
  }
}

/** Others of this name that are logged in one life. */
const MAX_LOGGED = 64;

function nameInUse(claim: Claim): ArmatureError {
  const { address, host, pid, startedAt } = claim;
  return new ArmatureError('name-in-use', `another process has this name: ${describeClaim(claim)}`, {
    remedy: 'Stop one of the two. If both are wanted, give this one another name.',
    details: { address, host, pid, startedAt },
  });
}

function otherSecret(claim: Claim): ArmatureError {
  const { address, host, pid, startedAt } = claim;
  return new ArmatureError(
    'wrong-cluster',
    `another cluster of this name, with another secret, is on this bus: ${describeClaim(claim)}`,
    {
      remedy:
        'Give the same secret to every process of a cluster. If these are two clusters, give one of them another name or another NATS account.',
      details: { address, host, pid, startedAt },
    },
  );
}
