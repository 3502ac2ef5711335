/**
 * The puts of the benchmark: each of a fresh key, as in a first load, or over a bounded set of keys, as in a store that is in
 * use. Whoever overwrites gives the context of the write before, so that a key keeps one value under every resolver. No two that
 * are in flight write one key.
 */
import type { Bucket, ReadContext } from '@armature/client';

/** Contexts outlast a loop: the next one writes the same keys of the same bucket. */
const contexts = new WeakMap<object, Map<string, ReadContext>>();
let fresh = 0;

export class Puts {
  /** So far. */
  done = 0;
  readonly #bucket: Pick<Bucket<Uint8Array>, 'put' | 'name'>;
  readonly #overwrite: number;
  readonly #inFlight: number;
  readonly #contexts: Map<string, ReadContext>;
  /** Of each place in the loop, how many puts it has begun. */
  readonly #begun: number[] = [];

  /** `client`: whose bucket it is. */
  constructor(
    client: object,
    bucket: Pick<Bucket<Uint8Array>, 'put' | 'name'>,
    { overwrite, inFlight }: { readonly overwrite: number; readonly inFlight: number },
  ) {
    this.#bucket = bucket;
    this.#overwrite = overwrite;
    this.#inFlight = inFlight;
    this.#contexts = contexts.get(client) ?? new Map<string, ReadContext>();
    contexts.set(client, this.#contexts);
  }

  /** The next put of one of those in flight, 0 to `inFlight` - 1. */
  async next(place: number, value: Uint8Array): Promise<void> {
    this.done++;
    if (this.#overwrite === 0) {
      await this.#bucket.put(`fresh/${process.pid}/${fresh++}`, value);
      return;
    }
    const begun = this.#begun[place] ?? 0;
    this.#begun[place] = begun + 1;
    // Place p has the keys p, p + inFlight, p + 2 inFlight, ...; where there are fewer keys than places, one each.
    const mine = Math.max(1, Math.ceil((this.#overwrite - place) / this.#inFlight));
    const key = `again/${place + this.#inFlight * (begun % mine)}`;
    const known = `${this.#bucket.name} ${key}`;
    const context = this.#contexts.get(known);
    const written = await this.#bucket.put(key, value, context === undefined ? {} : { context });
    this.#contexts.set(known, written.context);
  }
}
