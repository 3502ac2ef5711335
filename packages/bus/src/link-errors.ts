/**
 * The errors a link makes itself. `details.executed` tells the requester what it needs to know before it tries elsewhere:
 * `no` when the request certainly did not run, `unknown` when it may have.
 */
import { ArmatureError } from '@armature/kernel';
import type { LinkAddress } from './link-address.js';
import type { Rejection } from './outbox.js';
import { TOO_LARGE_TO_TAKE } from './reassembly.js';
import type { RefusalCode } from './refusal.js';

export type Executed = 'no' | 'unknown';

/** How long to wait before trying again what was refused for want of room: a few turns of a busy event loop. */
const RETRY_AFTER_MS = 20;

export function unreachable(peer: LinkAddress, executed: Executed): ArmatureError {
  return new ArmatureError('unreachable', `nobody listens at ${peer}`, {
    remedy: `Check that ${peer} is running and connected to the same NATS account.`,
    details: { peer, executed },
  });
}

export function notPermitted(peer: LinkAddress, subject: string): ArmatureError {
  return new ArmatureError(
    'unreachable',
    `the bus does not permit this process to publish to ${subject}, where ${peer} listens`,
    {
      remedy: 'Give the NATS user of this process the permissions of its role: armature nats-config writes them.',
      details: { peer, subject, executed: 'unknown' },
    },
  );
}

/** Of such an error the subject; undefined of any other. */
export function forbiddenSubjectOf({ code, details }: ArmatureError): string | undefined {
  const { subject } = details;
  return code === 'unreachable' && typeof subject === 'string' ? subject : undefined;
}

export function timedOut(peer: LinkAddress): ArmatureError {
  return new ArmatureError('timeout', `no answer from ${peer} in time`, { details: { peer, executed: 'unknown' } });
}

export function busUnavailable(executed: Executed): ArmatureError {
  return new ArmatureError('bus-unavailable', 'the message bus is not connected', {
    remedy: 'Check the NATS servers; the connection comes back by itself.',
    details: { executed },
  });
}

export function overloaded(what: string): ArmatureError {
  return new ArmatureError('overloaded', what, {
    remedy: 'Send less at a time, or try again after a pause.',
    details: { retryAfterMs: RETRY_AFTER_MS, executed: 'no' },
  });
}

export function linkClosed(executed: Executed): ArmatureError {
  return new ArmatureError('closed', 'the link endpoint is closed', { details: { executed } });
}

export function draining(self: LinkAddress): ArmatureError {
  return new ArmatureError('unreachable', `${self} is shutting down`, { details: { peer: self, executed: 'no' } });
}

/** What an endpoint logs of a message that it could not send. Nothing that a cluster stores should ever come to this. */
export const TOO_LARGE_TO_SEND = 'a message is larger than a link takes, and was not sent';

export function notTaken(rejection: Rejection, messageBytes: number): ArmatureError {
  if (rejection === 'queue-full') return overloaded('too many large messages wait to be sent to this peer');
  return new ArmatureError('too-large', `a message is larger than the ${messageBytes} bytes a link takes`, {
    details: { maxMessageBytes: messageBytes, executed: 'no' },
  });
}

/** A request that came in fragments, for which there is no room here. */
export function noRoomFor(reason: string, incomingBytes: number): ArmatureError {
  if (reason !== TOO_LARGE_TO_TAKE) return overloaded('too many large messages are on their way to this process');
  return new ArmatureError('too-large', `a request is larger than the ${incomingBytes} bytes that are taken here`, {
    remedy: 'Store less under one key.',
    details: { maxMessageBytes: incomingBytes, executed: 'no' },
  });
}

/** Of a request, it did not run; of a reply, or an error, it may have. */
export function undecodable(what: string, cause: Error, executed: Executed): ArmatureError {
  return new ArmatureError('protocol-mismatch', `${what} could not be decoded: ${cause.message}`, {
    cause,
    details: { executed },
    remedy: 'Run releases that are at most one minor version apart.',
  });
}

const REFUSED_FRAMES = {
  'wrong-cluster': [
    'belongs to another cluster',
    'Check the cluster names of both processes and the subject mappings between them.',
  ],
  'protocol-mismatch': ['does not speak this protocol version', 'Run releases that are at most one minor version apart.'],
  unauthenticated: [
    'takes neither the token nor the secret that was given',
    'Give a token that was made with the secret of this cluster (armature token create), or that secret. If it has been changed since, what was sealed with the former one is void.',
  ],
  overloaded: ['has no room for another door', 'Try again after a pause, or ask another router.'],
} as const;

/** What a peer answers to a frame that it must not or cannot read. */
export function frameRefused(code: Exclude<RefusalCode, 'wrong-secret'>, peer: LinkAddress): ArmatureError {
  const [message, remedy] = REFUSED_FRAMES[code];
  return new ArmatureError(code, `${peer} ${message}`, { remedy, details: { peer, executed: 'no' } });
}

/**
 * The peer's answer to a frame whose MAC is not one of its secret. Somebody else may listen at the same address, so it may have
 * run there.
 */
export function otherSecret(peer: LinkAddress): ArmatureError {
  return new ArmatureError('wrong-cluster', `${peer} belongs to another cluster of this name: it holds another secret`, {
    remedy: OTHER_SECRET_REMEDY,
    details: { peer, executed: 'unknown' },
  });
}

export const OTHER_SECRET_REMEDY =
  'Give the same secret to every process of a cluster. If these are two clusters, give one of them another name or another NATS account.';

/** The peer cannot tell how long our request was under way, however often it is sent again. */
export function ageUnknown(peer: LinkAddress): ArmatureError {
  return new ArmatureError('unavailable', `${peer} cannot tell how long requests to it are under way`, {
    remedy: `Check that the clocks of ${peer} do not jump, and that it is not suspended again and again.`,
    details: { peer, executed: 'no' },
  });
}
