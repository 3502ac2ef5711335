/**
 * Forged contexts. Whoever holds a context may destroy what it covers, so a client that alters one, or presents that of another
 * key, must get nowhere. This makes such contexts of honest ones. The forger knows the format (it is no secret) and not the key
 * under which contexts are sealed.
 */
import { ByteReader, ByteWriter, concatBytes, pick, type BucketName, type Random } from '@armature/kernel';
import { ReadContext } from '@armature/client';

/**
 * `flipped`: some bits. `raised`: counters that cover whatever there is and will be. `cut`: the end is missing. `foreign`:
 * honest, of another key or bucket.
 */
export type ForgeryKind = 'flipped' | 'raised' | 'cut' | 'foreign';

export interface Forgery {
  readonly kind: ForgeryKind;
  readonly context: ReadContext;
}

const FORMAT_BYTES = 1;
const HEADER_BYTES = 5;
const ACTOR_BYTES = 8;
const MAC_BYTES = 16;
const MOST_FLIPPED = 4;
const FAR = 2 ** 32;
const KEPT = 64;

interface Known {
  readonly bucket: BucketName;
  readonly key: string;
  readonly context: ReadContext;
}

/** What the clients of one run have read lately, of all buckets; and what can be made of it. */
export class Forger {
  readonly #known: Known[] = [];

  /** An honest context, for later. */
  note(bucket: BucketName, key: string, context: ReadContext): void {
    this.#known.push({ bucket, key, context });
    if (this.#known.length > KEPT) this.#known.shift();
  }

  /**
   * A context that was never issued for that key. Undefined where nothing can be made of this one: an empty context is that of a
   * blind write.
   */
  forge(random: Random, bucket: BucketName, key: string, context: ReadContext): Forgery | undefined {
    const honest = context.toBytes();
    if (honest.length <= HEADER_BYTES + MAC_BYTES) return undefined;
    const foreign = pick(
      random,
      this.#known.filter((one) => (one.bucket !== bucket || one.key !== key) && one.context.toBytes().length > 0),
    );
    switch (random.int(4)) {
      case 0:
        return { kind: 'flipped', context: ReadContext.fromBytes(flipped(random, honest)) };
      case 1:
        return { kind: 'cut', context: ReadContext.fromBytes(honest.subarray(0, 1 + random.int(honest.length - 1))) };
      case 2:
        return { kind: 'raised', context: ReadContext.fromBytes(raised(random, honest)) };
      default:
        return foreign === undefined ? undefined : { kind: 'foreign', context: foreign.context };
    }
  }
}

function flipped(random: Random, honest: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(honest);
  // One bit of each byte at most: none is flipped back.
  const places = new Set(Array.from({ length: 1 + random.int(MOST_FLIPPED) }, () => random.int(bytes.length)));
  for (const place of places) bytes[place] = (bytes[place] as number) ^ (1 << random.int(8));
  return bytes;
}

/** The clock that the context begins with, with greater counters (`versioning/context.ts`). */
function raised(random: Random, honest: Uint8Array): Uint8Array {
  const reader = new ByteReader(honest.subarray(HEADER_BYTES, -MAC_BYTES));
  const count = reader.count(ACTOR_BYTES + 1);
  const clock = new ByteWriter().varint(count);
  for (let i = 0; i < count; i++) {
    clock.raw(reader.raw(ACTOR_BYTES));
    clock.varint(reader.varint() + 1 + random.int(FAR));
  }
  const contents = concatBytes([clock.finish(), reader.rest()]);
  const header = new ByteWriter().raw(honest.subarray(0, FORMAT_BYTES)).u32(contents.length).finish();
  return concatBytes([header, contents, honest.subarray(-MAC_BYTES)]);
}
