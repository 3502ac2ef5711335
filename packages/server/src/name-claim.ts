/**
 * Names used twice: what one process says of itself on the bus, and which of two of one name must go.
 *
 * A name is an address: what is sent to it reaches everybody who listens there. Two nodes of one name would each take the other's
 * store for its own that was lost; two routers would each get half of what is meant for the other. So a process says who it is
 * before it does anything that others act upon, and goes on saying it. The one that came later goes.
 *
 * Which came later is told by how long each has been up, not by when it started: that needs no clocks that agree. A message that
 * was long on its way makes its sender look younger than it is. So of two, both may take themselves for the older one for a
 * while, but never both for the younger one: nobody goes without need.
 *
 * Whoever can read the bus can repeat what was said there, long after. So nobody goes because of what he has merely heard. He
 * asks, with a number that he has just drawn, and only a claim that gives that number back, under the MAC, was made for him, and
 * now. All else is a reason to ask. A claim with a MAC of another secret proves nothing to anybody, and stops nobody.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { toHex, type Random } from '@armature/kernel';

/** Who says it, in which life, and since when. */
export interface Claim {
  /** Role and name, e.g. `node.n1`. */
  readonly address: string;
  /** Random, of one life of a process. */
  readonly session: string;
  /** It was said by somebody who holds our secret. */
  readonly isOurs: boolean;
  /** Drawn by whoever asks, to be given back by whoever answers; empty where nothing is asked. */
  readonly asks: string;
  /** Of the question that this answers; empty where it answers none. */
  readonly answers: string;
  /** How long it has been up when it says so, by its monotonic clock, ms. */
  readonly ageMs: number;
  /** It has asked, nobody objected, and it has begun to act. */
  readonly isUp: boolean;
  /** For people. */
  readonly host: string;
  readonly pid: number;
  readonly startedAt: string;
}

/**
 * - *self*: our own word.
 * - *stranger*: it holds another secret, so it is of another cluster of this name.
 * - *stays*, *goes*: it uses our name, and is to stay, so that we go; or to go.
 */
export type Judgement = 'self' | 'stranger' | 'stays' | 'goes';

/**
 * Two that started within this time of one another are equally old: none is worth more than the other, and both must come to the
 * same verdict.
 */
const EQUALLY_OLD_MS = 2_000;
/** A message of somebody else's making must not cost much. */
const MAX_BYTES = 1_024;
const MAC_BYTES = 16;

export function judge(own: Claim, other: Claim): Judgement {
  if (other.session === own.session) return 'self';
  if (!other.isOurs) return 'stranger';
  if (other.isUp !== own.isUp) return other.isUp ? 'stays' : 'goes';
  const olderMs = other.ageMs - own.ageMs;
  const wins = Math.abs(olderMs) > EQUALLY_OLD_MS ? olderMs > 0 : other.session < own.session;
  return wins ? 'stays' : 'goes';
}

export function newSession(random: Random): string {
  return toHex(random.bytes(8));
}

/** For one question: nobody can have answered it before. */
export function newQuestion(random: Random): string {
  return toHex(random.bytes(16));
}

/** Whether this is what somebody who holds our secret says to this question of ours. */
export function isAnswer(claim: Claim, question: string): boolean {
  return claim.isOurs && claim.answers === question;
}

/** JSON, a line feed, and the MAC of the JSON in hex. */
export function formatClaim(
  { address, session, asks, answers, ageMs, isUp, host, pid, startedAt }: Claim,
  keys: readonly Uint8Array[],
): Uint8Array {
  const text = JSON.stringify({ address, session, asks, answers, ageMs, isUp, host, pid, startedAt });
  return Buffer.from(`${text}\n${macOf(keys[0] as Uint8Array, text).toString('hex')}`, 'utf8');
}

/** Undefined for what is no claim. */
export function parseClaim(payload: Uint8Array, keys: readonly Uint8Array[]): Claim | undefined {
  if (payload.length > MAX_BYTES) return undefined;
  const [text = '', hex = ''] = Buffer.from(payload).toString('utf8').split('\n');
  try {
    const { address, session, asks, answers, ageMs, isUp, host, pid, startedAt } = JSON.parse(text) as Record<
      keyof Claim,
      unknown
    >;
    const isClaim =
      typeof address === 'string' &&
      typeof session === 'string' &&
      typeof asks === 'string' &&
      typeof answers === 'string' &&
      typeof ageMs === 'number' &&
      typeof isUp === 'boolean' &&
      typeof host === 'string' &&
      typeof pid === 'number' &&
      typeof startedAt === 'string';
    if (!isClaim) return undefined;
    const mac = Buffer.from(hex, 'hex');
    const isOurs = mac.length === MAC_BYTES && keys.some((key) => timingSafeEqual(macOf(key, text), mac));
    return { address, session, isOurs, asks, answers, ageMs, isUp, host, pid, startedAt };
  } catch {
    return undefined;
  }
}

function macOf(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest().subarray(0, MAC_BYTES);
}

/** In words for an operator. */
export function describeClaim({ address, host, pid, startedAt }: Claim): string {
  return `${address} on ${host}, process ${pid}, up since ${startedAt}`;
}
