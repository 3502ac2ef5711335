/**
 * Why somebody is not let in. `unauthenticated`: there is no token that counts, and the reason says why; another token may.
 * `forbidden`: the token counts, and does not allow what was asked.
 *
 * Messages go to whoever asked, and into logs. They say who holds a token and never what it is.
 */
import { ArmatureError, type BucketName, type ClusterName } from '@armature/kernel';
import type { Right } from './grant.js';
import type { Role, Token } from './token.js';

export type TokenFault = 'missing' | 'malformed' | 'forged' | 'other-cluster' | 'expired' | 'revoked';

const MAKE_ONE = 'Ask whoever runs the cluster for a new token: armature token create.';

export function missingToken(): ArmatureError {
  return unauthenticated(
    'missing',
    'this cluster requires a token, and none was given',
    'Give one: --token-file or ARMATURE_TOKEN, { token } in the library, the header Armature-Token in a plain request. ' +
      'Who holds the secret of the cluster needs none: --direct. A token with a role is for administration only.',
  );
}

/** Administration is never open: it takes a token, or the secret, whatever the cluster demands of applications. */
export function missingRole(role: Role): ArmatureError {
  return unauthenticated(
    'missing',
    `this takes a token with the role ${role}, or the secret of the cluster, and neither was given`,
    `Give --token-file or ARMATURE_TOKEN (armature token create --role ${role} makes one), or --secret-file or ARMATURE_SECRET; of the library, connect({ token }) or connect({ secret }).`,
    { role },
  );
}

export function malformedToken(why: string): ArmatureError {
  return unauthenticated(
    'malformed',
    `the token cannot be read: ${why}`,
    'Give the token exactly as armature token create printed it.',
  );
}

export function forgedToken(): ArmatureError {
  return unauthenticated(
    'forged',
    'the token was not sealed with the secret of this cluster, or was altered',
    `If the secret has been changed since, tokens sealed with the former one are void. ${MAKE_ONE}`,
  );
}

export function tokenOfOtherCluster(theirs: ClusterName, ours: ClusterName): ArmatureError {
  return unauthenticated(
    'other-cluster',
    `the token is for cluster ${theirs}, and this is ${ours}`,
    'Give the token that was made for this cluster, or name the other cluster.',
  );
}

export function expiredToken({ subject, expiresAtMs }: Token): ArmatureError {
  const since = new Date(expiresAtMs).toISOString();
  return unauthenticated('expired', `the token of ${subject} was valid until ${since}`, MAKE_ONE);
}

export function revokedToken({ subject, generation }: Token, needed: number): ArmatureError {
  return unauthenticated(
    'revoked',
    `the token of ${subject} is of generation ${generation}, and this cluster takes none below ${needed}`,
    MAKE_ONE,
  );
}

/** It names the bucket, which whoever asked has named, and not the key. */
export function forbidden({ subject }: Token, right: Right, bucket: BucketName): ArmatureError {
  return new ArmatureError('forbidden', `the token of ${subject} does not allow to ${right} this in bucket ${bucket}`, {
    remedy: `Ask for a token that grants it: armature token create --grant ${bucket}:${right}. What a token allows: armature token inspect.`,
    details: { right, bucket },
  });
}

export function forbiddenRole({ subject }: Token, role: Role): ArmatureError {
  return new ArmatureError('forbidden', `the token of ${subject} does not have the role ${role}`, {
    remedy: `Ask for a token that has it: armature token create --role ${role}. What a token allows: armature token inspect.`,
    details: { role },
  });
}

function unauthenticated(
  fault: TokenFault,
  message: string,
  remedy: string,
  facts: { readonly role?: Role } = {},
): ArmatureError {
  return new ArmatureError('unauthenticated', message, { remedy, details: { fault, ...facts } });
}
