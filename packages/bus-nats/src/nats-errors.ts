/** The client library's errors as ours: a code that a caller can act on, and what to do. */
import { ArmatureError } from '@armature/kernel';
import { ErrorCode, NatsError } from 'nats';

const NOT_ALLOWED: ReadonlySet<string> = new Set([
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AuthenticationTimeout,
  ErrorCode.AccountExpired,
  ErrorCode.BadAuthentication,
  ErrorCode.BadCreds,
]);

const NOT_PERMITTED: string = ErrorCode.PermissionsViolation;

const TLS: ReadonlySet<string> = new Set([ErrorCode.Tls, ErrorCode.ServerOptionNotAvailable]);

/** Why the first connection failed. Wrong credentials are `invalid-config`, since waiting does not mend them. */
export function connectError(thrown: unknown, servers: readonly string[]): ArmatureError {
  const where = servers.join(', ');
  const code = codeOf(thrown);
  if (NOT_ALLOWED.has(code)) {
    return new ArmatureError('invalid-config', `NATS at ${where} refused the credentials: ${messageOf(thrown)}`, {
      cause: thrown,
      remedy: 'Check user and password, token, creds or nkey against the accounts of the server.',
      details: { servers, reason: 'auth' },
    });
  }
  if (TLS.has(code) || /certificate|self.signed|TLS/i.test(messageOf(thrown))) {
    return new ArmatureError('invalid-config', `TLS with NATS at ${where} failed: ${messageOf(thrown)}`, {
      cause: thrown,
      remedy: 'Check tlsca, tlscert and tlskey, and whether the server offers TLS at all.',
      details: { servers, reason: 'tls' },
    });
  }
  return new ArmatureError('bus-unavailable', `no NATS server answers at ${where}: ${messageOf(thrown)}`, {
    cause: thrown,
    remedy: `Start a NATS server, or point server (NATS_URL) at one. Tried: ${where}.`,
    details: { servers },
  });
}

/** An error that the server sent, or that a subscription met, while connected. */
export function runtimeError(thrown: unknown, subject?: string): ArmatureError {
  const code = codeOf(thrown);
  const details = subject === undefined ? { reason: code } : { reason: code, subject };
  if (code === NOT_PERMITTED) {
    return new ArmatureError('invalid-config', `NATS does not permit this: ${messageOf(thrown)}`, {
      cause: thrown,
      remedy: "Give the user of this process publish and subscribe permission to the cluster's subjects.",
      details,
    });
  }
  return new ArmatureError('bus-unavailable', `NATS: ${messageOf(thrown)}`, { cause: thrown, details });
}

export function busClosed(): ArmatureError {
  return new ArmatureError('closed', 'the NATS connection is closed');
}

export function busDisconnected(cause: unknown): ArmatureError {
  return new ArmatureError('bus-unavailable', 'the NATS connection is down', {
    cause,
    remedy: 'Check the NATS servers; the connection comes back by itself.',
  });
}

function codeOf(thrown: unknown): string {
  return thrown instanceof NatsError ? thrown.code : '';
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error && thrown.message !== '' ? thrown.message : codeOf(thrown) || String(thrown);
}
