/**
 * All randomness flows from an injected `Random`. The seeded one here (sfc32, Chris Doty-Humphrey) drives tests and
 * simulations: one seed is one history, and `fork` gives each subsystem a stream of its own, so that drawing
 * more in one does not shift the others. Production uses the runtime package's cryptographic source.
 */
export interface Random {
  /** A uniform integer in [0, 2^32). */
  u32(): number;
  /** A uniform integer in [0, bound). `bound` in [1, 2^32]. */
  int(bound: number): number;
  /** A uniform number in [0, 1). */
  float(): number;
  /** `length` uniform bytes. */
  bytes(length: number): Uint8Array;
  /** An independent stream, a function of this stream's seed and the labels that lead to it only. */
  fork(label: string): Random;
}

export function seededRandom(seed: number | string): Random {
  const text = String(seed);
  let a = hashText(text, 0x9e3779b9);
  let b = hashText(text, 0x243f6a88);
  let c = hashText(text, 0xb7e15162);
  let counter = 1;
  const u32 = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) u32(); // sfc32 needs a dozen rounds to mix its seed
  return randomFrom(u32, (label) => seededRandom(`${text}/${escaped(label)}`));
}

/** Completes a 32-bit source to a `Random`. */
export function randomFrom(u32: () => number, fork: (label: string) => Random): Random {
  return {
    u32,
    int: (bound) => Math.floor((u32() / 2 ** 32) * bound),
    float: () => ((u32() >>> 5) * 2 ** 26 + (u32() >>> 6)) / 2 ** 53,
    bytes(length) {
      const out = new Uint8Array(length);
      for (let i = 0; i < length; i++) out[i] = u32() & 0xff;
      return out;
    },
    fork,
  };
}

/** A uniformly random element; undefined only for an empty list. */
export function pick<T>(random: Random, items: readonly T[]): T | undefined {
  return items.length === 0 ? undefined : items[random.int(items.length)];
}

/** A new list with the same elements in uniformly random order (Fisher-Yates). */
export function shuffle<T>(random: Random, items: readonly T[]): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [out[i], out[j]] = [out[j] as T, out[i] as T];
  }
  return out;
}

/** Without a slash, so that the path of labels to a stream names no other: fork('a/b') is not fork('a').fork('b'). */
function escaped(label: string): string {
  return label.replaceAll('%', '%25').replaceAll('/', '%2F');
}

/** FNV-1a over UTF-16 code units, then a murmur3 finaliser: enough to seed, not to protect. */
function hashText(text: string, basis: number): number {
  let h = basis | 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
