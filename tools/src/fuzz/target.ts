/**
 * What is fuzzed: one target for each decoder, or for each door with the decoders behind it.
 *
 * A target is given bytes that somebody may send, or leave on a disk. It says in what way it took or refused them, and fails
 * where something happened that must not: an exception that is not the typed refusal, a message that changes when it is encoded
 * again, a door that did something although it refused.
 */
import type { Random } from '@armature/kernel';

export interface Target {
  readonly name: string;
  /** In a few words, for people. */
  readonly what: string;
  /** The decoders that its inputs go through, as `package/function`. A test holds that none of the project is left out. */
  readonly covers: readonly string[];
  /** Valid inputs, which the fuzzer changes. */
  seeds(random: Random): readonly Uint8Array[];
  /** Words that stand in valid inputs and that chance does not find. */
  readonly words?: readonly string[];
  /**
   * The inputs that take most memory and time for their size: each list that the format has, with as many of its smallest
   * elements as fit. They are what `memory.ts` measures, and what shows work that grows faster than its input.
   */
  dense(sizeBytes: number): readonly Uint8Array[];
  /** Bytes that the target itself allocates for each byte of a dense input, where these are many. */
  readonly ownBytesPerByte?: number;
  /** The decoder alone, where `run` does more with what it has taken: what it costs is measured by this. */
  decode?(input: Uint8Array): unknown;
  /**
   * How the input ended: the same words for inputs that took the same way, so that the fuzzer keeps one of each. Throws for what
   * must not be: a `Finding`, or whatever the decoder should not have thrown.
   */
  run(input: Uint8Array): string | Promise<string>;
}

/** A property that does not hold. */
export class Finding extends Error {
  override readonly name = 'Finding';
}

/** A property of a target. */
export function holds(condition: unknown, claim: string): asserts condition {
  if (!condition) throw new Finding(claim);
}
