/**
 * What an operator must never see of sizes: a message that is too large to be sent or taken, so that a key can be neither read
 * nor repaired nor moved; and a key that cannot be replaced or deleted any more, whatever it holds.
 */
import { bytes, type Client } from '@armature/client';
import { TOO_LARGE_TO_SEND, TOO_LARGE_TO_TAKE } from '@armature/bus';
import { toArmatureError } from '@armature/kernel';
import type { World } from '../world/world.js';
import type { LoadedBucket } from '../workload/workload.js';

/** Listens to what processes log, from now on. */
export class MessageSizes {
  readonly #found = new Set<string>();

  constructor(world: World) {
    world.onLog = (name, message, fields) => {
      if (message !== TOO_LARGE_TO_SEND && fields['reason'] !== TOO_LARGE_TO_TAKE) return;
      const peer = String(fields['peer']);
      this.#found.add(`too large: ${name} and ${peer} could not exchange what a key holds, for its size`);
    };
  }

  get violations(): readonly string[] {
    return [...this.#found];
  }
}

export interface UsableKeys {
  readonly bucket: LoadedBucket;
  readonly keys: readonly string[];
  /** Each key is read, replaced and deleted through one of them in turn. */
  readonly connections: readonly Client[];
}

/** Reads every key, replaces it with the context of that read, and deletes it. For the end of a run: nothing is left then. */
export async function checkUsable(world: World, { bucket, keys, connections }: UsableKeys): Promise<string[]> {
  const violations: string[] = [];
  for (const [place, key] of keys.entries()) {
    const connection = connections[place % connections.length] as Client;
    const using = connection.bucket(bucket.name, { codec: bytes });
    const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      await world.until(
        work().catch((thrown: unknown) => {
          const { code, message } = toArmatureError(thrown);
          violations.push(`unusable: ${key} of ${bucket.name} cannot be ${what} (${code}: ${message})`);
        }),
      );
    };
    await attempt('read', () => using.read(key));
    await attempt('replaced', async () => {
      const { context } = await using.read(key);
      await using.put(key, new Uint8Array(1), { context });
    });
    await attempt('deleted', () => using.delete(key));
  }
  return violations;
}
