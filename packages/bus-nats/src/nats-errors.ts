/** The client library's errors as ours: a code that a caller can act on, and what to do. */
import { MIN_PAYLOAD_BYTES } from '@armature/bus';
import { ArmatureError } from '@armature/kernel';
import { ErrorCode, NatsError } from 'nats';
import { stageOf } from './nats-transport.js';

const NOT_ALLOWED: ReadonlySet<string> = new Set([
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AuthenticationTimeout,
  ErrorCode.AccountExpired,
  ErrorCode.BadAuthentication,
  ErrorCode.BadCreds,
]);

const NOT_PERMITTED: string = ErrorCode.PermissionsViolation;
const NO_TLS: string = ErrorCode.ServerOptionNotAvailable;
const TLS: string = ErrorCode.Tls;

/** What to do about a denied subject. */
export const PERMIT = 'Give the NATS user of this process the permissions of its role: armature nats-config writes them.';

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
  if (code === NO_TLS) {
    return new ArmatureError('invalid-config', `NATS at ${where} offers no TLS, and TLS is asked for`, {
      cause: thrown,
      remedy: 'Enable TLS at the server, or write nats:// and leave out tlsca, tlscert and tlskey. Nothing secret has been sent.',
      details: { servers, reason: 'tls' },
    });
  }
  if (code === TLS || /certificate|self.signed|TLS/i.test(messageOf(thrown))) {
    return new ArmatureError('invalid-config', `TLS with NATS at ${where} failed: ${messageOf(thrown)}`, {
      cause: thrown,
      remedy: 'Check tlsca, tlscert and tlskey, and the name in the certificate of the server.',
      details: { servers, reason: 'tls' },
    });
  }
  if (stageOf(thrown) === 'greeting') {
    return new ArmatureError(
      'bus-unavailable',
      `what listens at ${where} does not greet as a NATS server: ${messageOf(thrown)}`,
      {
        cause: thrown,
        remedy:
          'Check host and port: another service may listen there. A NATS server that stands still, or that wants TLS before ' +
          'its greeting (tls_first in a context of the nats command line), looks the same.',
        details: { servers },
      },
    );
  }
  return new ArmatureError('bus-unavailable', `no NATS server answers at ${where}: ${messageOf(thrown)}`, {
    cause: thrown,
    remedy: `Start a NATS server, or name one that runs. Tried: ${where}.`,
    details: { servers },
  });
}

/**
 * An error that the server sent while connected, or to an attempt to connect again: the library's code for it, and the server's
 * words.
 */
export function runtimeError(code: string, words = ''): ArmatureError {
  if (NOT_ALLOWED.has(code)) {
    return new ArmatureError('invalid-config', `NATS refuses the credentials: ${code}`, {
      remedy: 'Check them against the accounts of the server. Files are read again at each attempt.',
      details: { reason: code },
    });
  }
  if (code === NOT_PERMITTED) {
    return new ArmatureError('invalid-config', 'NATS does not permit something, and does not say which subject', {
      remedy: PERMIT,
      details: { reason: code },
    });
  }
  return new ArmatureError('bus-unavailable', `NATS: ${words === '' ? code : words}`, { details: { reason: code } });
}

/** The server takes too little in a message for a link to work over it. */
export function payloadLimitTooSmall(maxPayloadBytes: number, server: string): ArmatureError {
  return new ArmatureError(
    'invalid-config',
    `max_payload of the NATS server ${server} is ${maxPayloadBytes} bytes, and at least ${MIN_PAYLOAD_BYTES} are needed`,
    {
      remedy: 'Raise max_payload in the configuration of the NATS servers; their default is 1 MB.',
      details: { server, maxPayloadBytes, minPayloadBytes: MIN_PAYLOAD_BYTES },
    },
  );
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
