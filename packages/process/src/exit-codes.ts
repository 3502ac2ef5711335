/**
 * Exit codes: what a script or a supervisor can tell from how a process ended. The same table for the command line and for
 * the long-running processes.
 */
import type { ErrorCode } from '@armature/kernel';

export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  unavailable: 3,
  notFound: 4,
  siblings: 5,
  unsureWrite: 6,
  notAllowed: 7,
  /** 128 + SIGINT, as shells have it. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** For help texts and READMEs, in the order of the numbers. */
export const EXIT_CODE_TEXTS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.ok, 'done'],
  [EXIT.failure, 'failed: the message says why; for imports, some records were not written'],
  [EXIT.usage, 'wrong usage or configuration: nothing was tried'],
  [EXIT.unavailable, 'no bus, no node, no quorum, or no answer in time: trying again later may work'],
  [EXIT.notFound, 'there is no such key or bucket'],
  [EXIT.siblings, 'the key has several concurrent values, and none was chosen'],
  [EXIT.unsureWrite, 'the write reached fewer replicas than asked for, or its outcome is unknown: it may surface'],
  [EXIT.notAllowed, 'not allowed: no token, one that does not count, or one that does not allow this'],
  [EXIT.interrupted, 'interrupted by Ctrl-C'],
];

const BY_ERROR: Partial<Record<ErrorCode, ExitCode>> = {
  'invalid-argument': EXIT.usage,
  'invalid-config': EXIT.usage,
  'unknown-bucket': EXIT.notFound,
  unavailable: EXIT.unavailable,
  overloaded: EXIT.unavailable,
  'stale-ring': EXIT.unavailable,
  unreachable: EXIT.unavailable,
  timeout: EXIT.unavailable,
  'no-cluster': EXIT.unavailable,
  'bus-unavailable': EXIT.unavailable,
  'partial-write': EXIT.unsureWrite,
  'unknown-outcome': EXIT.unsureWrite,
  unauthenticated: EXIT.notAllowed,
  forbidden: EXIT.notAllowed,
};

export function exitCodeOf(code: ErrorCode): ExitCode {
  return BY_ERROR[code] ?? EXIT.failure;
}
