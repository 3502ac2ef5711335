/**
 * Hybrid logical clocks (Kulkarni et al., 2014): timestamps that never run behind what their owner has seen, and
 * stay within the clock error of real time. They order membership changes and last-write-wins versions.
 *
 * A timestamp is one double: milliseconds * 1024 + a logical count. 2^53 / 1024 ms reaches the year 2248, the
 * resolution is about a microsecond, comparison is `<`, and a full logical count simply carries into the milliseconds.
 */
import type { Brand } from './brands.js';

/** A hybrid logical timestamp, in 1/1024 ms since the Unix epoch. Safe integer. */
export type Hlc = Brand<number, 'Hlc'>;

export const HLC_ZERO = 0 as Hlc;
const TICKS_PER_MS = 1024;

/**
 * How far ahead of our own clock a timestamp may be and still pass for right: 60 s. NTP keeps hosts within tens of milliseconds;
 * a clock that is a minute ahead is broken, and what it says must not become anybody's own time.
 */
export const DEFAULT_MAX_DRIFT_MS = 60_000;

/**
 * The latest time that a wall clock is believed: the year 2200. It leaves as many ticks for what must be stamped later than such
 * a time as a machine can count in decades, so no clock, however wrong, uses up the timestamps.
 */
export const LATEST_WALL_MS = Date.UTC(2200, 0, 1);

/** The next timestamp after `last` at wall-clock time `nowMs`. Strictly greater than `last`. */
export function hlcTick(last: Hlc, nowMs: number): Hlc {
  const wall = hlcFromMs(nowMs);
  return wall > last ? wall : hlcAfter(last);
}

/** The very next timestamp. */
export function hlcAfter(at: Hlc): Hlc {
  return (at + 1) as Hlc;
}

/** Whether a timestamp is further ahead of the wall clock than clocks may differ: one of the two clocks is wrong. */
export function isFarAhead(at: Hlc, nowMs: number, maxDriftMs = DEFAULT_MAX_DRIFT_MS): boolean {
  return hlcToMs(at) - nowMs > maxDriftMs;
}

/**
 * The clock after seeing `remote`: at least both. A remote timestamp that is far ahead is ignored, or one wrong clock would set
 * all others ahead.
 */
export function hlcReceive(last: Hlc, remote: Hlc, nowMs: number, maxDriftMs = DEFAULT_MAX_DRIFT_MS): Hlc {
  return remote > last && !isFarAhead(remote, nowMs, maxDriftMs) ? remote : last;
}

/** A wall-clock time as a timestamp. Times before 1970 and after `LATEST_WALL_MS` are taken for these. */
export function hlcFromMs(ms: number): Hlc {
  return (Math.floor(Math.min(Math.max(ms, 0), LATEST_WALL_MS)) * TICKS_PER_MS) as Hlc;
}

/** Milliseconds since the Unix epoch, with a fraction. */
export function hlcToMs(hlc: Hlc): number {
  return hlc / TICKS_PER_MS;
}
