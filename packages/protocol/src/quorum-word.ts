/**
 * How many replicas a request asks for, as users write it: a number, or a word whose number depends on the bucket's N.
 * On the wire one byte.
 */
import { ArmatureError, assert, DecodeError, err, ok, quoted, type Result } from '@armature/kernel';

/** `default`: what the bucket's properties say. */
export type QuorumWord = number | 'default' | 'one' | 'quorum' | 'all';

/** No bucket has more replicas than this; it also keeps numbers clear of the bytes of the words. */
export const MAX_N = 32;

const WORD_BYTES = { default: 0, one: 253, quorum: 254, all: 255 } as const;

export function quorumWordToByte(word: QuorumWord): number {
  // A number out of range would be read as another word: 255 as `all`.
  assert(
    typeof word !== 'number' || (Number.isInteger(word) && word >= 0 && word <= MAX_N),
    'a quorum was parsed or resolved before it is sent',
  );
  // 0 as a number means "no demand" (PR, PW, DW); 252 keeps it apart from `default`.
  return typeof word === 'number' ? (word === 0 ? 252 : word) : WORD_BYTES[word];
}

export function quorumWordFromByte(byte: number): QuorumWord {
  if (byte === WORD_BYTES.default) return 'default';
  if (byte === WORD_BYTES.one) return 'one';
  if (byte === WORD_BYTES.quorum) return 'quorum';
  if (byte === WORD_BYTES.all) return 'all';
  if (byte === 252) return 0;
  if (byte <= MAX_N) return byte;
  throw new DecodeError(`quorum byte ${byte}`);
}

/** A quorum word from text, as given on a command line or in a header. */
export function parseQuorumWord(name: string, text: string): Result<QuorumWord, ArmatureError> {
  if (text === 'default' || text === 'one' || text === 'quorum' || text === 'all') return ok(text);
  if (/^\d{1,2}$/.test(text) && Number(text) <= MAX_N) return ok(Number(text));
  return err(
    new ArmatureError('invalid-argument', `${name}=${quoted(text)} is not a quorum`, {
      remedy: `Use a number from 0 to ${MAX_N}, or one of: one, quorum, all, default.`,
    }),
  );
}

/** The number behind a word, for a bucket with `n` replicas whose own default is `fallback`. */
export function resolveQuorumWord(name: string, word: QuorumWord, n: number, fallback: number): Result<number, ArmatureError> {
  const value =
    word === 'default' ? fallback : word === 'one' ? 1 : word === 'quorum' ? Math.floor(n / 2) + 1 : word === 'all' ? n : word;
  if (Number.isInteger(value) && value >= 0 && value <= n) return ok(value);
  return err(
    new ArmatureError('invalid-argument', `${name}=${value} cannot be met by a bucket with N=${n}`, {
      remedy: `Ask for at most ${n}, or use a bucket with a larger N.`,
    }),
  );
}
