/**
 * The cluster's secret: from `--secret-file`, or from `ARMATURE_SECRET`. One line of text, whose bytes are those of the line
 * without white space around it. While the secret is being changed there are two lines: the first one seals, and what either has
 * sealed is opened.
 */
import { readFileSync } from 'node:fs';
import { ArmatureError, MAKE_A_SECRET, checkedSecrets, unwrap, utf8Encode, type Secrets } from '@armature/kernel';

export interface SecretSource {
  readonly secretFile: string | undefined;
  readonly secret: string | undefined;
}

/** Undefined when none is given. Throws `invalid-config` for a file that cannot be read, and for what cannot be the secret. */
export function loadSecrets(source: SecretSource): Secrets | undefined {
  if (source.secretFile === undefined) {
    return source.secret === undefined ? undefined : secretsIn(source.secret, 'ARMATURE_SECRET');
  }
  // `--secret-file $(cat cluster.key)`: a message that named the file would tell the secret.
  if (source.secretFile.split(/\s+/).some((word) => LOOKS_LIKE_A_SECRET.test(word))) {
    throw new ArmatureError('invalid-config', 'secretFile is a secret itself, and must be the name of a file', {
      remedy: 'Give the name of the file that holds it, or the secret by ARMATURE_SECRET.',
      details: { field: 'secretFile' },
    });
  }
  let text: string;
  try {
    text = readFileSync(source.secretFile, 'utf8');
  } catch (thrown) {
    const why = (thrown as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : `cannot be read: ${String(thrown)}`;
    throw new ArmatureError('invalid-config', `the secret file ${source.secretFile} ${why}`, {
      cause: thrown,
      remedy: MAKE_A_SECRET,
      details: { field: 'secretFile' },
    });
  }
  return secretsIn(text, `the secret file ${source.secretFile}`);
}

/** For processes inside the trust domain. */
export function requireSecrets(source: SecretSource): Secrets {
  const secrets = loadSecrets(source);
  if (secrets !== undefined) return secrets;
  throw new ArmatureError('invalid-config', "the cluster's secret is not given", {
    remedy: `Give --secret-file or ARMATURE_SECRET. ${MAKE_A_SECRET}`,
    details: { field: 'secretFile' },
  });
}

function secretsIn(text: string, where: string): Secrets {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length > 0) return unwrap(checkedSecrets(lines.map(utf8Encode)));
  throw new ArmatureError('invalid-config', `${where} is empty`, { remedy: MAKE_A_SECRET, details: { field: 'secretFile' } });
}

/** As `openssl rand` makes them, in hex or base64. */
const LOOKS_LIKE_A_SECRET = /^([0-9A-Fa-f]{32,}|[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{42}==)$/;
