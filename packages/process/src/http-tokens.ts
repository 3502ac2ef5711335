/**
 * The token of the HTTP door: a text that whoever scrapes the metrics sends as `Authorization: Bearer <token>`. One line of a
 * file; two while it is being changed, and either is taken.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ArmatureError } from '@armature/kernel';

const MIN_TOKEN_CHARS = 16;
const MAX_TOKENS = 2;

/** Throws `invalid-config`, naming the file and never what is in it. */
export function readHttpTokens(file: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    throw refused(
      `the file ${file} of the HTTP token cannot be read: ${(thrown as NodeJS.ErrnoException).code ?? String(thrown)}`,
    );
  }
  const tokens = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const isUsable = tokens.length >= 1 && tokens.length <= MAX_TOKENS && tokens.every((one) => one.length >= MIN_TOKEN_CHARS);
  if (isUsable) return tokens;
  throw refused(`the file ${file} must hold one HTTP token, or two, each on a line and of ${MIN_TOKEN_CHARS} characters or more`);
}

/** Whether the header of a request bears one of the tokens. How long it takes says nothing about how much of it is right. */
export function bearsToken(authorization: string | undefined, tokens: readonly string[]): boolean {
  const [, given = ''] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
  const digest = digestOf(given);
  return tokens.filter((token) => timingSafeEqual(digestOf(token), digest)).length > 0;
}

/** Of one length, whatever was sent. */
function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function refused(message: string): ArmatureError {
  return new ArmatureError('invalid-config', message, {
    remedy: 'Make one with: openssl rand -hex 32 > http.token && chmod 600 http.token',
    details: { field: 'httpTokenFile' },
  });
}
