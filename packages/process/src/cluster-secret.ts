/** The cluster's secret: from `--secret-file`, or from `ARMATURE_SECRET`. Its bytes are those of the text, without white space around it. */
import { readFileSync } from 'node:fs';
import { ArmatureError, utf8Encode } from '@armature/kernel';

export interface SecretSource {
  readonly secretFile: string | undefined;
  readonly secret: string | undefined;
}

/** Undefined when none is given. Throws `invalid-config` for a file that cannot be read or is empty. */
export function loadSecret(source: SecretSource): Uint8Array | undefined {
  if (source.secretFile === undefined) return source.secret === undefined ? undefined : utf8Encode(source.secret.trim());
  // `--secret-file $(cat cluster.key)`: a message that named the file would tell the secret.
  if (LOOKS_LIKE_A_SECRET.test(source.secretFile)) {
    throw new ArmatureError('invalid-config', 'secretFile is a secret itself, and must be the name of a file', {
      remedy: 'Give the name of the file that holds it, or the secret by ARMATURE_SECRET.',
      details: { field: 'secretFile' },
    });
  }
  let text: string;
  try {
    text = readFileSync(source.secretFile, 'utf8').trim();
  } catch (thrown) {
    const why = (thrown as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : `cannot be read: ${String(thrown)}`;
    throw new ArmatureError('invalid-config', `the secret file ${source.secretFile} ${why}`, {
      cause: thrown,
      remedy: MAKE_ONE,
      details: { field: 'secretFile' },
    });
  }
  if (text !== '') return utf8Encode(text);
  throw new ArmatureError('invalid-config', `the secret file ${source.secretFile} is empty`, {
    remedy: MAKE_ONE,
    details: { field: 'secretFile' },
  });
}

/** For processes inside the trust domain. */
export function requireSecret(source: SecretSource): Uint8Array {
  const secret = loadSecret(source);
  if (secret !== undefined) return secret;
  throw new ArmatureError('invalid-config', "the cluster's secret is not given", {
    remedy: `Give --secret-file or ARMATURE_SECRET. ${MAKE_ONE}`,
    details: { field: 'secretFile' },
  });
}

/** As `openssl rand` makes them, in hex or base64. */
const LOOKS_LIKE_A_SECRET = /^\s*([0-9a-f]{32,}|[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{42}==)\s*$/;

const MAKE_ONE = 'Make one with: openssl rand -hex 32 > cluster.key, and give the same to every node, router and direct client.';
