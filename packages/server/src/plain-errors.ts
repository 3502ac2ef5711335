/**
 * Errors of the plain API, and their codes as the numbers that `Nats-Service-Error-Code` carries: HTTP's, because every tool
 * knows them.
 */
import { ArmatureError, type ErrorCode } from '@armature/kernel';

const STATUS: Partial<Record<ErrorCode, number>> = {
  'invalid-argument': 400,
  unauthenticated: 401,
  forbidden: 403,
  'too-large': 413,
  'invalid-context': 412,
  'unknown-bucket': 404,
  'wrong-cluster': 421,
  overloaded: 429,
  unavailable: 503,
  'partial-write': 503,
  'no-cluster': 503,
  'unknown-outcome': 504,
  timeout: 504,
};

export function statusOfError(code: ErrorCode): number {
  return STATUS[code] ?? 500;
}

/** What is wrong with a request, and how to put it right. */
export function invalid(message: string, remedy: string): ArmatureError {
  return new ArmatureError('invalid-argument', message, { remedy });
}
