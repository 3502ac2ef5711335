/**
 * Subjects: dot-separated tokens. The NATS server does not check what is published (`*`, `>` and NUL pass), and a control
 * line is bounded, so every subject of ours is built here from tokens of a narrow alphabet, and no byte of a user's
 * key ever gets into one.
 */
import { ArmatureError, assert, err, ok, quoted, type Result } from '@armature/kernel';

const TOKEN = /^[A-Za-z0-9_-]+$/;

/** Longest subject we build. NATS allows 4,096 bytes for a whole control line of two subjects, sizes and verb. */
const MAX_SUBJECT_BYTES = 512;

export function isSubjectToken(text: string): boolean {
  return TOKEN.test(text);
}

/** `a.b.c` of the tokens `a`, `b`, `c`. A token outside `[A-Za-z0-9_-]+` is a bug of the caller. */
export function subjectOf(...tokens: readonly string[]): string {
  assert(tokens.length > 0, 'a subject has at least one token');
  for (const token of tokens) assert(TOKEN.test(token), `${quoted(token)} is a subject token`);
  const subject = tokens.join('.');
  assert(subject.length <= MAX_SUBJECT_BYTES, `a subject has at most ${MAX_SUBJECT_BYTES} bytes`);
  return subject;
}

/** The tokens of a subject without wildcards that somebody configured, such as a prefix. */
export function parseSubject(text: string): Result<readonly string[], ArmatureError> {
  const tokens = text.split('.');
  if (text.length <= MAX_SUBJECT_BYTES && tokens.every(isSubjectToken)) return ok(tokens);
  return err(
    new ArmatureError('invalid-argument', `${quoted(text)} is not a subject`, {
      remedy: 'Use ASCII letters, digits, "-" or "_", in parts joined by dots.',
    }),
  );
}

/** Whether `pattern` (with `*` for one token and a final `>` for one or more) matches `subject`. */
export function subjectMatches(pattern: string, subject: string): boolean {
  if (!hasWildcard(pattern)) return pattern === subject;
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '>' && i === wanted.length - 1) return tokens.length > i;
    if (i >= tokens.length) return false;
    if (wanted[i] !== '*' && wanted[i] !== tokens[i]) return false;
  }
  return wanted.length === tokens.length;
}

export function hasWildcard(pattern: string): boolean {
  return pattern.includes('*') || pattern.includes('>');
}
