/**
 * An inbox: where a process hears the answers to questions that it asks of nobody in particular ("which router is there?"). One
 * subscription for the life of the process, below a subject that only its link address is part of, so that permissions can keep
 * others from listening, and so that a denied one shows at once. Each question has a number, which is the last token of its reply
 * subject.
 */
import type { Bus, BusHandler, BusSubscription, LinkAddress } from '@armature/bus';
import type { Random } from '@armature/kernel';
import type { Subjects } from '@armature/protocol';

/** A question that answers are awaited for. */
export interface OpenQuestion {
  /** Where answers are to go. */
  readonly reply: string;
  /** Idempotent. Later answers are dropped. */
  close(): void;
}

export class Inbox {
  readonly #prefix: string;
  readonly #handlers = new Map<string, BusHandler>();
  readonly #subscription: BusSubscription;
  #next: number;

  constructor(bus: Bus, subjects: Subjects, address: LinkAddress, random: Random) {
    this.#prefix = `${subjects.inbox(address)}.`;
    this.#next = random.u32(); // answers to a former process of this address find no question
    this.#subscription = bus.subscribe(`${this.#prefix}*`, (message) => {
      this.#handlers.get(message.subject.slice(this.#prefix.length))?.(message);
    });
  }

  /** Each answer goes to `handler`, the bus's status "nobody listens" too, until the question is closed. */
  ask(handler: BusHandler): OpenQuestion {
    const number = (this.#next++).toString(36);
    this.#handlers.set(number, handler);
    return { reply: this.#prefix + number, close: () => void this.#handlers.delete(number) };
  }

  close(): void {
    this.#subscription.unsubscribe();
    this.#handlers.clear();
  }
}
