/**
 * Working off a stream with bounded concurrency. Items of one key are worked on one after the other, in the order of the
 * stream: of two records of one key the later must win, and neither may overtake the other into a sibling.
 */

export interface EachConcurrently<T> {
  /** Most items in hand at a time. */
  readonly concurrency: number;
  /** Items of equal keys are not worked on at once. */
  readonly keyOf: (item: T) => string;
  /** Must not reject. */
  readonly work: (item: T) => Promise<void>;
  /** Asked before each further item is taken. */
  readonly shouldStop: () => boolean;
}

/** Resolves when everything taken from `items` has been worked off. Rejects when `items` does, also only then. */
export async function eachConcurrently<T>(items: AsyncIterable<T>, options: EachConcurrently<T>): Promise<void> {
  const last = new Map<string, Promise<void>>();
  let inHand = 0;
  let whenRoom: (() => void) | undefined;
  const start = (item: T): void => {
    const key = options.keyOf(item);
    const before = last.get(key);
    const done: Promise<void> = (before === undefined ? options.work(item) : before.then(() => options.work(item))).then(() => {
      if (last.get(key) === done) last.delete(key);
      inHand--;
      whenRoom?.();
    });
    inHand++;
    last.set(key, done);
  };
  try {
    for await (const item of items) {
      start(item);
      while (inHand >= options.concurrency) await new Promise<void>((resolve) => (whenRoom = resolve));
      if (options.shouldStop()) break;
    }
  } finally {
    await Promise.all(last.values());
  }
}
