/**
 * Whether the cluster was there when it was wanted. Every operation of every client is an attempt, and has an end: it succeeded,
 * or it failed with some code. While nothing has been wrong for some time, no attempt may fail; while something is, how long a
 * client could not write is measured.
 *
 * Always writable: while W nodes that are well can be reached, and have been for so long that everybody could find out who is
 * not, a put or a delete that failed is a violation, whoever the W are (the sloppy quorum; paper, section 4.6). Which nodes these
 * are is asked when an attempt has failed (`faults/conditions.ts`).
 */
import { ArmatureError, toArmatureError, type ErrorCode, type NodeId } from '@armature/kernel';
import type { World } from '../world/world.js';

export interface Attempt {
  /** An update is a read, and a write of what comes of it. */
  readonly kind: 'read' | 'write' | 'update';
  readonly client: string;
  /** Virtual ms. */
  readonly beganMs: number;
  readonly endedMs: number;
  /** Undefined: it succeeded. */
  readonly failure: ErrorCode | undefined;
  /** Of a write that failed: nodes that were there all the time and had been enough. */
  readonly despite?: readonly NodeId[] | undefined;
}

/** Given a write that has just failed: with which nodes it could have been done. */
export type Despite = (write: {
  readonly client: string;
  readonly key: string;
  readonly beganMs: number;
}) => readonly NodeId[] | undefined;

/** Answers of a cluster that is there: to a request that cannot be granted, whoever is asked. */
const ANSWERS: ReadonlySet<ErrorCode> = new Set(['too-large', 'invalid-context', 'invalid-argument', 'unknown-bucket']);

export class Attempts {
  readonly all: Attempt[] = [];
  readonly #world: World;
  readonly #despite: Despite;

  constructor(world: World, despite: Despite = () => undefined) {
    this.#world = world;
    this.#despite = despite;
  }

  /** As `doing`; its end is noted. `key`: of what is one write and nothing else. */
  async during<T>(kind: Attempt['kind'], client: string, doing: Promise<T>, key?: string): Promise<T> {
    const beganMs = this.#world.nowMs;
    const end = (failure: ErrorCode | undefined): void => {
      const despite = failure === undefined || key === undefined ? undefined : this.#despite({ client, key, beganMs });
      this.all.push({ kind, client, beganMs, endedMs: this.#world.nowMs, failure, despite });
    };
    try {
      const result = await doing;
      end(undefined);
      return result;
    } catch (thrown) {
      const error = toArmatureError(thrown);
      end(isAnswer(error) ? undefined : error.code);
      throw thrown;
    }
  }
}

/**
 * A node may have answered so after another one may have taken the write: then the outcome is unknown, and the cluster was there
 * all the same.
 */
function isAnswer({ code, cause }: ArmatureError): boolean {
  return ANSWERS.has(code) || (code === 'unknown-outcome' && cause instanceof ArmatureError && ANSWERS.has(cause.code));
}

/** Attempts that failed although nothing had been wrong any more for long enough, or enough nodes were there. */
export function checkAvailability(attempts: readonly Attempt[], wellSinceMs: number): string[] {
  return attempts.flatMap(({ kind, client, beganMs, failure, despite }) => {
    if (failure === undefined) return [];
    const what = `unavailable: a ${kind} of ${client} at ${seconds(beganMs)} failed (${failure})`;
    if (beganMs >= wellSinceMs) return [`${what}, though nothing had been wrong since long`];
    return despite === undefined ? [] : [`${what}, though ${despite.join(' ')} had long been well and within reach`];
  });
}

/**
 * How long clients could not write, in all, virtual ms: of each client, from the beginning of a failed attempt to the end of the
 * next one that succeeded. Clients that do not try at a moment are not unavailable to.
 */
export function unavailableMs(attempts: readonly Attempt[]): number {
  let sumMs = 0;
  const sinceMs = new Map<string, number>();
  for (const { kind, client, beganMs, endedMs, failure } of attempts.toSorted((a, b) => a.endedMs - b.endedMs)) {
    if (kind === 'read') continue;
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
