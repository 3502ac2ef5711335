/**
 * Whether the cluster was there when it was wanted. Every operation of every client is an attempt, and has an end: it succeeded, or it failed with
 * some code. While nothing has been wrong for some time, no attempt may fail; while something is, how long a client could not write is measured.
 */
import { toArmatureError, type ErrorCode } from '@armature/kernel';
import type { World } from '../world/world.js';

export interface Attempt {
  readonly kind: 'read' | 'write';
  readonly client: string;
  /** Virtual ms. */
  readonly beganMs: number;
  readonly endedMs: number;
  /** Undefined: it succeeded. */
  readonly failure: ErrorCode | undefined;
}

/** Answers of a cluster that is there: to a request that cannot be granted, whoever is asked. */
const ANSWERS: ReadonlySet<ErrorCode> = new Set(['too-large', 'invalid-context', 'invalid-argument', 'unknown-bucket']);

export class Attempts {
  readonly all: Attempt[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** As `doing`; its end is noted. */
  async during<T>(kind: Attempt['kind'], client: string, doing: Promise<T>): Promise<T> {
    const beganMs = this.#world.nowMs;
    const end = (failure: ErrorCode | undefined): void =>
      void this.all.push({ kind, client, beganMs, endedMs: this.#world.nowMs, failure });
    try {
      const result = await doing;
      end(undefined);
      return result;
    } catch (thrown) {
      const { code } = toArmatureError(thrown);
      end(ANSWERS.has(code) ? undefined : code);
      throw thrown;
    }
  }
}

/** Attempts that began when nothing had been wrong any more for long enough, and failed all the same. */
export function checkAvailability(attempts: readonly Attempt[], wellSinceMs: number): string[] {
  return attempts.flatMap(({ kind, client, beganMs, failure }) =>
    beganMs >= wellSinceMs && failure !== undefined
      ? [
          `unavailable: a ${kind} of ${client} at ${seconds(beganMs)} failed (${failure}), though nothing had been wrong since long`,
        ]
      : [],
  );
}

/**
 * How long clients could not write, in all, virtual ms: of each client, from the beginning of a failed attempt to the end of the next one that
 * succeeded. Clients that do not try at a moment are not unavailable to.
 */
export function unavailableMs(attempts: readonly Attempt[]): number {
  let sumMs = 0;
  const sinceMs = new Map<string, number>();
  for (const { kind, client, beganMs, endedMs, failure } of attempts.toSorted((a, b) => a.endedMs - b.endedMs)) {
    if (kind !== 'write') continue;
    if (failure !== undefined) {
      if (!sinceMs.has(client)) sinceMs.set(client, beganMs);
      continue;
    }
    sumMs += endedMs - (sinceMs.get(client) ?? endedMs);
    sinceMs.delete(client);
  }
  return sumMs;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}
