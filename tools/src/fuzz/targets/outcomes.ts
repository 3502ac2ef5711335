/**
 * How decoders refuse: with a `DecodeError`, an `ArmatureError`, a `Result` of one, or undefined. Everything else that is thrown
 * is a failure.
 */
import { ArmatureError, DecodeError, type Result } from '@armature/kernel';
import { holds } from '../target.js';

/** Refusals end up in logs and in headers of messages: they quote no more of their input than a name's worth. */
const MAX_REFUSAL_CHARS = 1_024;

export type Attempt<T> = { readonly taken: true; readonly value: T } | { readonly taken: false; readonly refusal: string };

/** Runs a decoder that throws its refusals. */
export function attempt<T>(decode: () => T): Attempt<T> {
  try {
    return { taken: true, value: decode() };
  } catch (thrown) {
    return { taken: false, refusal: refusalOf(thrown) };
  }
}

/** Of a decoder that returns its refusals. */
export function attemptOf<T>(result: Result<T, Error>): Attempt<T> {
  return result.ok ? { taken: true, value: result.value } : { taken: false, refusal: refusalOf(result.error) };
}

/** The words of a refusal. Throws what is none: a bug of ours is `internal`, and says so. */
export function refusalOf(thrown: unknown): string {
  if (thrown instanceof DecodeError) return `malformed: ${thrown.message}`;
  if (!(thrown instanceof ArmatureError) || thrown.code === 'internal') throw thrown;
  for (const words of [thrown.message, thrown.remedy ?? ''])
    holds(words.length <= MAX_REFUSAL_CHARS, `a refusal of ${words.length} characters: it repeats its input`);
  return `${thrown.code}: ${thrown.message}`;
}

/** What is refused ends there; what is taken goes on. */
export function outcomeOf<T>(tried: Attempt<T>, taken: (value: T) => string): string {
  return tried.taken ? taken(tried.value) : tried.refusal;
}
