/**
 * The agenda of a simulated world: everything that is still to happen, by its time. A binary heap.
 *
 * Events of one time and one owner come in the order in which they were entered, as they would in that process. Those of
 * different owners come in an order drawn from the seed: nothing in reality says which of two processes is first.
 */

export interface AgendaEntry {
  /** Virtual time, ms. */
  readonly atMs: number;
  /** Decides between owners at one time. Equal for all entries of one owner and time. */
  readonly tie: number;
  /** Decides between entries of one owner: in which order they were entered. */
  readonly order: number;
  /** Undefined once cancelled. */
  task: (() => void) | undefined;
}

export class Agenda<E extends AgendaEntry = AgendaEntry> {
  readonly #heap: E[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The entry that is next, left in its place. */
  get next(): E | undefined {
    return this.#heap[0];
  }

  enter(entry: E): void {
    const heap = this.#heap;
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent] as E;
      if (!isBefore(entry, above)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = entry;
  }

  /** Takes the next entry out. */
  take(): E | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as E, heap[child] as E)) child++;
      const below = heap[child] as E;
      if (!isBefore(below, last)) break;
      heap[place] = below;
      place = child;
    }
    heap[place] = last;
    return first;
  }
}

function isBefore(a: AgendaEntry, b: AgendaEntry): boolean {
  if (a.atMs !== b.atMs) return a.atMs < b.atMs;
  return a.tie !== b.tie ? a.tie < b.tie : a.order < b.order;
}
