/**
 * One error class with a code. A code exists only where a caller can react to it in its own way; everything else is
 * told by the message, and what to do about it by `remedy`. Errors cross the bus as (code, message, remedy),
 * so a client sees the same type that the node raised.
 */

/** code -> whether repeating the same request later can succeed without anybody changing anything. */
export const ERROR_CODES = {
  /** The request is malformed or outside a documented limit. */
  'invalid-argument': false,
  /** The value or key is larger than the bucket or the cluster allows. */
  'too-large': false,
  /** The context is forged, truncated, of another key, or of another cluster. */
  'invalid-context': false,
  /** No token, or one that is not of this cluster, has expired or was revoked. */
  unauthenticated: false,
  /** The token does not allow it. */
  forbidden: false,
  /** No bucket of that name in this cluster. */
  'unknown-bucket': false,
  /** The peer belongs to another cluster. */
  'wrong-cluster': false,
  /** Another process of this name is on the bus. A process without a name of its own may take another one. */
  'name-in-use': false,
  /** The peer speaks a protocol version that this one does not. */
  'protocol-mismatch': false,
  /** The quorum was not met in time, and nothing is known to have been written. */
  unavailable: true,
  /** A write reached some replicas, fewer than asked for; it may surface later. Repeating it with its operation id is safe. */
  'partial-write': true,
  /** No answer in time: the write may or may not have happened. Repeating it with its operation id is safe. */
  'unknown-outcome': true,
  /** A queue is full. Repeat after a pause. */
  overloaded: true,
  /** The requester's ring is behind; refresh the view and repeat. Handled inside; seen by users only when refreshing fails. */
  'stale-ring': true,
  /** The membership is not the one that a plan was made for. Plan again. */
  'stale-plan': false,
  /** Nobody listens at that peer's subject, or the peer is down. */
  unreachable: true,
  /** No answer from one peer within the deadline. */
  timeout: true,
  /** The cluster has not been created yet, or the node is not part of one. */
  'no-cluster': true,
  /** The message bus cannot be reached. */
  'bus-unavailable': true,
  /** The data directory is in use by another process. */
  'storage-locked': false,
  /** The data directory is not ours, of another cluster or node, or of a newer format. */
  'storage-foreign': false,
  /** Stored bytes failed their checksum. */
  'storage-corrupt': false,
  /** No space left on the device (or in Redis). */
  'storage-full': true,
  /** Any other error of the storage engine. */
  'storage-failed': true,
  /** The component was closed. */
  closed: false,
  /** A user's merge function, codec or validator failed. */
  'application-error': false,
  /** Configuration that cannot work; names the field. */
  'invalid-config': false,
  /** A bug. */
  internal: false,
} as const satisfies Record<string, boolean>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ArmatureErrorOptions {
  /** What the reader should do, as an imperative sentence. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
  /** Facts for machines: small, JSON-able, never user values. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

export class ArmatureError extends Error {
  override readonly name = 'ArmatureError';
  readonly code: ErrorCode;
  readonly remedy: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: ArmatureErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy;
    this.details = options.details ?? {};
  }

  /** Whether the same request may succeed later by itself. */
  get retryable(): boolean {
    return ERROR_CODES[this.code];
  }
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}

/** Any thrown thing as an ArmatureError: unexpected ones become `internal`, with the original as cause. */
export function toArmatureError(thrown: unknown): ArmatureError {
  if (thrown instanceof ArmatureError) return thrown;
  const message = thrown instanceof Error ? thrown.message : typeof thrown === 'string' ? thrown : `thrown: ${typeof thrown}`;
  return new ArmatureError('internal', message, { cause: thrown });
}
