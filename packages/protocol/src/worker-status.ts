/**
 * What is said to anti-entropy workers, and what they say of themselves. Workers are stateless and may be any number, and nobody
 * has a list of them: a roll call on one subject finds those that are there, each of which answers with its address, and then
 * each is given the command at its door of administration.
 */
import type { ArmatureError, Result } from '@armature/kernel';
import { guarded, integer, object, Refused, text } from './json-shape.js';

export const WORKER_COMMANDS = ['status', 'pause', 'resume'] as const;
/** `pause`: start no exchange until `resume`. Forgotten when the worker restarts. */
export type WorkerCommand = (typeof WORKER_COMMANDS)[number];

/** What an administrator says to a worker. */
export interface WorkerRequest {
  readonly kind: 'worker';
  readonly command: WorkerCommand;
}

export interface WorkerReply {
  readonly kind: 'worker';
  /** After the command. */
  readonly status: WorkerStatus;
}

/** `waiting`: for a cluster, or for the next sweep to begin. */
export const WORKER_STATES = ['sweeping', 'waiting', 'paused'] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

/** Of the last pass that was finished. */
export interface LastReapPass {
  /** Finished since the worker started. */
  readonly passes: number;
  /** Tombstones found; of these, in quarantine, dropped, and neither. */
  readonly candidates: number;
  readonly waiting: number;
  readonly reaped: number;
  readonly heldBack: number;
  /** Shares that could not be gone through, and why the last of them, or empty. */
  readonly blocked: number;
  readonly problem: string;
}

export interface WorkerStatus {
  readonly name: string;
  readonly state: WorkerState;
  /** Sweeps finished since it started. */
  readonly sweeps: number;
  /** Share of the present sweep that is done, in percent. */
  readonly progressPercent: number;
  /** Since the worker started. */
  readonly exchanges: number;
  readonly differing: number;
  readonly bytes: number;
  readonly failed: number;
  readonly skipped: number;
  /** The last reason of a failure, or empty. */
  readonly problem: string;
  readonly reaping: LastReapPass;
}

export function parseWorkerStatus(input: unknown): Result<WorkerStatus, ArmatureError> {
  return guarded('not the status of a worker', () => {
    const status = object(input, 'status');
    const word = text(status['state'], 'state');
    const state = WORKER_STATES.find((one) => one === word);
    if (state === undefined) throw new Refused('state must be sweeping, waiting or paused');
    const count = (field: string): number => integer(status[field], field, 0, Number.MAX_SAFE_INTEGER);
    return {
      name: text(status['name'], 'name'),
      state,
      sweeps: count('sweeps'),
      progressPercent: integer(status['progressPercent'], 'progressPercent', 0, 100),
      exchanges: count('exchanges'),
      differing: count('differing'),
      bytes: count('bytes'),
      failed: count('failed'),
      skipped: count('skipped'),
      problem: text(status['problem'], 'problem'),
      reaping: readReaping(object(status['reaping'], 'reaping')),
    };
  });
}

function readReaping(reaping: ReturnType<typeof object>): LastReapPass {
  const count = (field: string): number => integer(reaping[field], `reaping.${field}`, 0, Number.MAX_SAFE_INTEGER);
  return {
    passes: count('passes'),
    candidates: count('candidates'),
    waiting: count('waiting'),
    reaped: count('reaped'),
    heldBack: count('heldBack'),
    blocked: count('blocked'),
    problem: text(reaping['problem'], 'reaping.problem'),
  };
}
