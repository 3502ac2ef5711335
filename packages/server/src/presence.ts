/**
 * Being the only one of a name: asks on the bus before this process acts, and goes on making itself known while it does.
 *
 * 1. It asks under its own name, before it listens there itself. Where nobody listens the bus says so at once: that is how nearly
 *    every start goes. Who answers has the name, and this process does not start. Who listens and does not answer stands still,
 *    is a connection that the bus has not missed yet, or says what proves nothing; after two seconds it is passed over.
 * 2. It listens under its name and asks once more, for two that start at once both pass the first question. It also asks
 *    everybody whether the cluster of this name has another secret here.
 * 3. From then on it says every five seconds that it is there. So two that met nobody, because the network was cut or one stood
 *    still, find one another; the younger goes.
 *
 * Whoever hears that another one should have its name asks him, and believes the answer only (`name-claim.ts`): what is merely
 * heard may be a recording. That another secret is here can be proved to nobody. It is logged, and keeps nobody from starting.
 *
 * Only what has to do with names is decided here (`name-claim.ts`); what becomes of a process that must go is its owner's
 * business.
 */
import { ArmatureError, type Random } from '@armature/kernel';
import { NO_RESPONDERS, type Bus, type BusMessage, type BusSubscription, type LinkAddress } from '@armature/bus';
import { Inbox } from '@armature/coordination';
import type { Subjects } from '@armature/protocol';
import { repeat, sleep, type Clock, type Logger, type Timer } from '@armature/runtime';
import { describeClaim, formatClaim, isAnswer, judge, newQuestion, newSession, parseClaim, type Claim } from './name-claim.js';

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
  /** Whether somebody is being asked who is said to have been there for longer. */
  #isAsking = false;
  #hasMetStrangers = false;
  #lost: ArmatureError | undefined;
  #beats = 0;
  #timer: Timer | undefined;

  /** Errors: `name-in-use`. */
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
    return claim === undefined || claim === 'nobody' ? undefined : describeClaim(claim);
  }

  /** Whether somebody has been heard who says that the cluster of this name has another secret. Anybody may say so. */
  get hasMetStrangers(): boolean {
    return this.#hasMetStrangers;
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
    if (judge(this.#own(), answer) === 'stays') throw nameInUse(answer);
  }

  #own({ asks = '', answers = '' } = {}): Claim {
    const { clock, address, host, pid } = this.#env;
    const ageMs = Math.floor(clock.monotonicMs() - this.#startedMs);
    const who = { address, session: this.#session, host, pid, startedAt: this.#startedAt };
    return { ...who, isOurs: true, asks, answers, ageMs, isUp: this.#isUp };
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
    const judgement = judge(this.#own(), claim);
    const concerns = judgement === 'stranger' || claim.address === this.#env.address;
    if (judgement === 'self' || !concerns) return;
    message.respond(formatClaim(this.#own({ answers: claim.asks }), keys));
    if (judgement === 'stranger') this.#log(claim, judgement);
    else void this.#inquire();
  }

  /** Somebody has been heard who says that he has our name: so he is asked. */
  async #inquire(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { subjects, address } = this.#env;
    const answer = await this.#ask(subjects.presenceOf(address), LOOK_MS);
    this.#isAsking = false;
    if (answer === undefined || answer === 'nobody') return;
    if (judge(this.#own(), answer) === 'stays') this.#lose(answer);
    else this.#log(answer, 'goes');
  }

  #log(claim: Claim, judgement: 'stranger' | 'goes'): void {
    if (judgement === 'stranger') this.#hasMetStrangers = true;
    if (this.#logged.has(claim.session) || this.#logged.size >= MAX_LOGGED) return;
    this.#logged.add(claim.session);
    const remedy = judgement === 'stranger' ? OTHER_SECRET_REMEDY : nameInUse(claim).remedy;
    const what =
      judgement === 'stranger'
        ? 'another cluster of this name, with another secret, is on this bus: nothing that it says is taken in'
        : 'another process has the name of this one; it came later, and is to end';
    this.#env.log.error({ other: describeClaim(claim), remedy }, what);
  }

  #lose(claim: Claim): void {
    if (this.#lost !== undefined || this.#isStopped) return;
    this.#lost = nameInUse(claim);
    if (!this.#isUp) return; // then the start fails
    this.#env.log.error(
      { err: this.#lost },
      'another process has the name of this one, and has had it for longer: this one ends',
    );
    this.#env.onLost(this.#lost);
  }

  /**
   * Resolves with the first answer to this question by another process of ours; `nobody` when the bus says that nobody listens;
   * undefined after so many ms of a connected bus.
   */
  async #ask(subject: string, limitMs: number): Promise<Claim | 'nobody' | undefined> {
    const { bus, clock, random, keys } = this.#env;
    const asks = newQuestion(random);
    let answer: Claim | 'nobody' | undefined;
    let answered: () => void = () => undefined;
    const arrival = new Promise<void>((resolve) => (answered = resolve));
    const question = this.#inbox.ask((message) => {
      const claim = message.status === NO_RESPONDERS ? 'nobody' : parseClaim(message.payload, keys);
      if (answer !== undefined || claim === undefined) return;
      if (claim !== 'nobody' && !claim.isOurs) this.#log(claim, 'stranger');
      // Others answer to whoever has no secret of ours, and give back what he asks: so the name is looked at, too.
      const counts = claim === 'nobody' || (isAnswer(claim, asks) && claim.address === this.#env.address);
      if (!counts || (claim !== 'nobody' && judge(this.#own(), claim) === 'self')) return;
      answer = claim;
      answered();
    });
    for (let waitedMs = 0; waitedMs < limitMs && answer === undefined && !this.#isStopped;) {
      const wasConnected = bus.connected;
      if (wasConnected) bus.publish(subject, formatClaim(this.#own({ asks }), keys), { reply: question.reply });
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

const OTHER_SECRET_REMEDY =
  'Give the same secret to every process of a cluster. If these are two clusters, give one of them another name or another NATS account.';
