/**
 * Whether a node that has just started may trust its history. The history on its disk may be older than that of the others: then
 * it does not know that its store was lost, or that it is no member any more. So it asks before it answers for its replica.
 *
 * Everybody is asked at once, again and again, and one answer is enough. Where nobody answers, nobody may be there: after a power
 * cut somebody must begin. But silence may also mean that the network is not up yet, or that those who could tell are just
 * starting. So only after all members and seeds have been silent for ten seconds of a connected bus does a node go on with what
 * it has. We call it *alone* then. Who answers, but not with a history, is somebody who knows: then the node goes on asking.
 *
 * Nodes that start together answer one another's questions while they are unconfirmed themselves, so a whole cluster is up within
 * a second.
 */
import type { Sounding } from '@armature/membership';

/**
 * How long everybody must have been silent: long enough for a nats-server to find its routes, and for the other nodes of a site
 * to start.
 */
export const ALONE_AFTER_MS = 10_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 2_000;

/** What has been found out so far. */
export interface Confirmation {
  readonly state: 'asking' | 'confirmed' | 'alone';
  /** Since when everybody has been silent, by the monotonic clock; undefined: it is not known that anybody was. */
  readonly silentSinceMs: number | undefined;
  /** Before everybody is asked again, ms. */
  readonly pauseMs: number;
}

export const UNASKED: Confirmation = { state: 'asking', silentSinceMs: undefined, pauseMs: FIRST_PAUSE_MS };

/** After everybody was asked from `askedMs` to `nowMs`. */
export function sounded(before: Confirmation, sounding: Sounding, askedMs: number, nowMs: number): Confirmation {
  switch (sounding) {
    case 'answered':
    case 'nobody':
      return { ...before, state: 'confirmed' };
    case 'refused':
    case 'disconnected':
      return { state: 'asking', silentSinceMs: undefined, pauseMs: longer(before.pauseMs) };
    case 'silent': {
      const silentSinceMs = before.silentSinceMs ?? askedMs;
      const state = nowMs - silentSinceMs >= ALONE_AFTER_MS ? 'alone' : 'asking';
      return { state, silentSinceMs, pauseMs: longer(before.pauseMs) };
    }
  }
}

function longer(pauseMs: number): number {
  return Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
}
