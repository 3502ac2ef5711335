/** Error codes as the numbers that `Nats-Service-Error-Code` carries: HTTP's, because every tool knows them. */
import type { ErrorCode } from '@armature/kernel';

const STATUS: Partial<Record<ErrorCode, number>> = {
  'invalid-argument': 400,
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
