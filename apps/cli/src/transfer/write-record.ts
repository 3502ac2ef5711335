/**
 * Writing one imported record: the key is read, and every value is written with the context of that read. So importing a
 * file twice replaces and adds no siblings, while several values of one record, each blind to the others, stay concurrent.
 *
 * The client repeats what failed for certain. What is left is repeated here: a timeout, and a write whose outcome is
 * unknown or partial, under its operation id, so that a repetition of one that did happen is recognised.
 */
import type { Client, ReadContext } from '@armature/client';
import { toArmatureError, toHex, type Random } from '@armature/kernel';
import { sleep, type Clock } from '@armature/runtime';
import { rawAs } from '../commands/put.js';
import { BINARY_TYPE, type KeyRecord } from '../records/record.js';

export interface RecordWriterEnv {
  readonly client: Pick<Client, 'bucket'>;
  readonly clock: Clock;
  readonly random: Random;
}

export interface RecordWriterOptions {
  readonly bucket: string;
  readonly timeoutMs: number;
  /** Write without reading first. */
  readonly blind: boolean;
  /** Repetitions of one step. */
  readonly retries: number;
}

/** Doubled at each repetition: with the default of 6, a bus or a node may be away for some 15 s. */
const FIRST_PAUSE_MS = 250;

export class RecordWriter {
  readonly #env: RecordWriterEnv;
  readonly #options: RecordWriterOptions;
  #repeated = 0;

  constructor(env: RecordWriterEnv, options: RecordWriterOptions) {
    this.#env = env;
    this.#options = options;
  }

  /** Steps that were repeated so far. */
  get repeated(): number {
    return this.#repeated;
  }

  /** Rejects with the last error once the repetitions are used up. */
  async write({ key, values }: KeyRecord): Promise<void> {
    const { bucket, timeoutMs, blind } = this.#options;
    const { client, random } = this.#env;
    const reader = client.bucket(bucket, { codec: rawAs(BINARY_TYPE), timeoutMs });
    const context: ReadContext | undefined = blind ? undefined : (await this.#repeating(() => reader.outline(key))).context;
    for (const { bytes, meta } of values) {
      const operation = toHex(random.bytes(8));
      await this.#repeating((repeated) => reader.put(key, bytes, { context, meta, operation, repeated }));
    }
  }

  async #repeating<T>(step: (repeated: boolean) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await step(attempt > 0);
      } catch (thrown) {
        if (attempt >= this.#options.retries || !toArmatureError(thrown).retryable) throw thrown;
        this.#repeated++;
        await sleep(this.#env.clock, FIRST_PAUSE_MS * 2 ** attempt * (0.5 + this.#env.random.float()));
      }
    }
  }
}
