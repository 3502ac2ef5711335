/**
 * Hybrid logical clocks (Kulkarni et al., 2014): timestamps that never run behind what their owner has seen, and
 * stay within the clock error of real time. They order membership changes and last-write-wins versions.
 *
 * A timestamp is one double: milliseconds * 1024 + a logical count. 2^53 / 1024 ms reaches the year 2248, the
 * resolution is about a microsecond, comparison is `<`, and a full logical count simply carries into the milliseconds.
 */
import { ArmatureError } from './errors.js';
import { err, ok, type Result } from './result.js';
import type { Brand } from './brands.js';

/** A hybrid logical timestamp, in 1/1024 ms since the Unix epoch. Safe integer. */
export type Hlc = Brand<number, 'Hlc'>;

export const HLC_ZERO = 0 as Hlc;
const TICKS_PER_MS = 1024;

/**
 * How far ahead of our own clock a remote timestamp may be: 60 s. NTP keeps hosts within tens of milliseconds; one
 * that is a minute ahead is broken, and under last-write-wins would win against everybody until we caught up.
 */
export const DEFAULT_MAX_DRIFT_MS = 60_000;

/** The next timestamp after `last` at wall-clock time `nowMs`. Strictly greater than `last`. */
export function hlcTick(last: Hlc, nowMs: number): Hlc {
  const wall = Math.floor(nowMs) * TICKS_PER_MS;
  return (wall > last ? wall : last + 1) as Hlc;
}

/**
 * The clock after seeing `remote`: at least both. Refuses a remote timestamp more than `maxDriftMs` ahead of
 * `nowMs`, because accepting it would drag the whole cluster's clock along.
 */
export function hlcReceive(last: Hlc, remote: Hlc, nowMs: number, maxDriftMs = DEFAULT_MAX_DRIFT_MS): Result<Hlc, ArmatureError> {
  const aheadMs = remote / TICKS_PER_MS - nowMs;
  if (aheadMs > maxDriftMs) {
    return err(
      new ArmatureError(
        'invalid-argument',
        `timestamp is ${Math.round(aheadMs)} ms ahead of this node's clock (limit ${maxDriftMs} ms)`,
        {
          remedy: 'Check the clocks (NTP) of the machine that wrote it and of this node.',
        },
      ),
    );
  }
  return ok(remote > last ? remote : last);
}

export function hlcFromMs(ms: number): Hlc {
  return (Math.floor(ms) * TICKS_PER_MS) as Hlc;
}

/** Milliseconds since the Unix epoch, with a fraction. */
export function hlcToMs(hlc: Hlc): number {
  return hlc / TICKS_PER_MS;
}
