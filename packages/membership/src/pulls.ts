/**
 * Pulls that announcements ask for. A change is announced to everybody, and a cluster that is being built announces by the
 * hundred, so pulls are bounded: one at a time per peer, a pause after each, a few peers at once. What is asked for during a
 * peer's pull or pause becomes one more pull after it; what exceeds the number of peers is left to the next round of gossip.
 *
 * Anybody can announce anything, in any name. Those who are no members have places of their own, so that made-up ones, who never
 * answer, take none from members.
 */
import type { Clock, Timer } from '@armature/runtime';

/** The histories of these are under way at once: some hundred KB each at worst, and mostly the same records. */
const MAX_MEMBERS = 8;
const MAX_OTHERS = 2;
/** At most ten pulls a second from one peer, however fast it announces. */
const PAUSE_MS = 100;

interface Pull {
  readonly isMember: boolean;
  again: boolean;
  pause: Timer | undefined;
}

export class Pulls {
  readonly #clock: Clock;
  readonly #pull: (address: string) => Promise<unknown>;
  readonly #running = new Map<string, Pull>();
  #stopped = false;

  /** `pull` never rejects. */
  constructor(clock: Clock, pull: (address: string) => Promise<unknown>) {
    this.#clock = clock;
    this.#pull = pull;
  }

  want(address: string, isMember: boolean): void {
    if (this.#stopped) return;
    const running = this.#running.get(address);
    if (running !== undefined) {
      running.again = true;
      return;
    }
    let alike = 0;
    for (const pull of this.#running.values()) if (pull.isMember === isMember) alike++;
    if (alike < (isMember ? MAX_MEMBERS : MAX_OTHERS)) void this.#run(address, isMember);
  }

  stop(): void {
    this.#stopped = true;
    for (const pull of this.#running.values()) pull.pause?.cancel();
    this.#running.clear();
  }

  async #run(address: string, isMember: boolean): Promise<void> {
    const pull: Pull = { isMember, again: false, pause: undefined };
    this.#running.set(address, pull);
    await this.#pull(address);
    if (this.#stopped) return;
    pull.pause = this.#clock.after(PAUSE_MS, () => {
      this.#running.delete(address);
      if (pull.again) this.want(address, isMember);
    });
  }
}
