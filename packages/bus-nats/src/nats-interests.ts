/**
 * What this process listens to, and whether NATS lets it.
 *
 * A server may deny a subscription when it is made, when it is made again after a reconnect, or in the middle of its life, when
 * the server's configuration is reloaded. It says so once, as an error that names the subject. From then on nothing comes, and
 * giving the permission back does not bring the subscription back. The client library forgets some of the denied
 * subscriptions and keeps others that the server has dropped. So a denied subscription counts as lacking, whatever the library
 * thinks of it, and is made anew until the server takes it: with growing pauses, and at once after a reconnect.
 *
 * Whether it was taken: a server answers in order, so when it has answered a ping that was sent after the
 * subscription, it has also said no, if it was to say no.
 */
import type { Clock, Timer } from '@armature/runtime';

/** One thing that this process listens to: a subscription, or a service with all of its endpoints. */
export interface Interest {
  /** By what name a denial of `subject` is told when it concerns this interest; undefined when it does not. */
  nameOf(subject: string): string | undefined;
  /** Ends what is left of the subscriptions, and makes new ones. */
  renew(): Promise<void>;
}

export interface InterestsEnvironment {
  readonly clock: Clock;
  /**
   * Resolves when the server has taken what was sent before, and `denied` has been told what it denies. Rejects when the
   * connection is lost.
   */
  flush(): Promise<void>;
  /** Told once for each subject when it begins to lack, and once when it is taken again. */
  changed(subject: string, state: 'denied' | 'granted'): void;
}

/** A permission that was taken by mistake is given back within seconds, so the first questions come soon. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

export class Interests {
  readonly #env: InterestsEnvironment;
  readonly #all = new Set<Interest>();
  readonly #lacking = new Map<Interest, Set<string>>();
  /** Those that the server has denied since they were last asked for. */
  #refused = new Set<Interest>();
  #pauseMs = FIRST_PAUSE_MS;
  #timer: Timer | undefined;
  #renewing = false;
  #stopped = false;

  constructor(env: InterestsEnvironment) {
    this.#env = env;
  }

  /** The subjects that this process wants to hear and does not. */
  get lacking(): readonly string[] {
    return [...new Set([...this.#lacking.values()].flatMap((subjects) => [...subjects]))];
  }

  add(interest: Interest): void {
    this.#all.add(interest);
  }

  remove(interest: Interest): void {
    this.#all.delete(interest);
    this.#lacking.delete(interest);
  }

  /** The server has denied a subscription to `subject`. */
  denied(subject: string): void {
    for (const interest of this.#all) {
      const name = interest.nameOf(subject);
      if (name !== undefined) this.#lacks(interest, name);
    }
    this.#schedule();
  }

  /** The server has denied a subscription, and does not say which. So all are asked for again. */
  deniedSome(why: string): void {
    for (const interest of this.#all) this.#lacks(interest, `one of its subjects (${why})`);
    this.#schedule();
  }

  /** Another server, or the same with other rules, may take what was denied before. */
  reconnected(): void {
    this.#pauseMs = FIRST_PAUSE_MS;
    void this.#renew();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #lacks(interest: Interest, name: string): void {
    this.#refused.add(interest);
    const isNew = !this.lacking.includes(name);
    const names = this.#lacking.get(interest) ?? new Set();
    this.#lacking.set(interest, names.add(name));
    if (isNew) this.#env.changed(name, 'denied');
  }

  #schedule(): void {
    if (this.#stopped || this.#renewing || this.#timer !== undefined || this.#lacking.size === 0) return;
    this.#timer = this.#env.clock.after(this.#pauseMs, () => void this.#renew());
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  async #renew(): Promise<void> {
    if (this.#stopped || this.#renewing || this.#lacking.size === 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#renewing = true;
    const asked = [...this.#lacking.keys()];
    this.#refused = new Set();
    try {
      for (const interest of asked) if (this.#lacking.has(interest)) await interest.renew();
      await this.#env.flush();
      this.#taken(asked.filter((interest) => !this.#refused.has(interest)));
    } catch {
      // The connection is lost: everything is asked for again when it is back.
    }
    this.#renewing = false;
    this.#schedule();
  }

  #taken(interests: readonly Interest[]): void {
    const before = this.lacking;
    for (const interest of interests) this.#lacking.delete(interest);
    const after = new Set(this.lacking);
    for (const subject of before) if (!after.has(subject)) this.#env.changed(subject, 'granted');
    if (after.size === 0) this.#pauseMs = FIRST_PAUSE_MS;
  }
}
