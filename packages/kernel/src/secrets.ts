/**
 * The secret of a cluster, from which its processes derive the keys of what they seal for one another. There are two while it is
 * being changed: every process must be able to open what those seal that have been given the new one already, and what was sealed
 * before.
 */
import { ArmatureError } from './errors.js';
import { err, ok, type Result } from './result.js';

/** The first one seals; what any of them has sealed is opened. */
export type Secrets = readonly [Uint8Array, ...Uint8Array[]];

/** 128 bits of entropy, as hex or otherwise. */
const MIN_SECRET_BYTES = 16;
const MAX_SECRETS = 2;

/** How to make one. */
export const MAKE_A_SECRET =
  'Make one with: openssl rand -hex 32 > cluster.key && chmod 600 cluster.key, and give the same to every node, router and direct client.';

/**
 * Error: `invalid-config` for none, for more than two, and for one that could be guessed. It says nothing about what they are.
 */
export function checkedSecrets(secrets: readonly Uint8Array[]): Result<Secrets, ArmatureError> {
  const [first, ...more] = secrets;
  if (first === undefined) return refuse('the secret of the cluster is not given', MAKE_A_SECRET);
  if (secrets.length > MAX_SECRETS) {
    return refuse(
      `${secrets.length} secrets are given, more than ${MAX_SECRETS}`,
      'Give the new one first and then the former one; drop those before it.',
    );
  }
  const short = secrets.find(({ length }) => length < MIN_SECRET_BYTES);
  if (short === undefined) return ok([first, ...more]);
  return refuse(`a secret of the cluster has ${short.length} bytes, fewer than ${MIN_SECRET_BYTES}`, MAKE_A_SECRET);
}

function refuse(message: string, remedy: string): Result<never, ArmatureError> {
  return err(new ArmatureError('invalid-config', message, { remedy, details: { field: 'secretFile' } }));
}
