/**
 * The token that this process shows at the doors of the cluster: from `--token-file`, or from `ARMATURE_TOKEN`. It is never said
 * in a message.
 */
import { readFileSync } from 'node:fs';
import { ArmatureError, toArmatureError } from '@armature/kernel';
import { tokenFromText } from '@armature/rights';

export interface TokenSource {
  readonly tokenFile: string | undefined;
  readonly token: string | undefined;
}

/**
 * Its bytes, not verified; undefined when none is given. Throws `invalid-config` for a file that cannot be read, and for what is
 * no token.
 */
export function loadToken({ tokenFile, token }: TokenSource): Uint8Array | undefined {
  if (tokenFile === undefined) return token === undefined ? undefined : tokenIn(token, 'ARMATURE_TOKEN');
  if (tokenFile.includes('armt1.')) {
    throw refused(
      'tokenFile is a token itself, and must be the name of a file',
      'Give the name of the file that holds it, and make a new token.',
    );
  }
  let text: string;
  try {
    text = readFileSync(tokenFile, 'utf8');
  } catch (thrown) {
    throw refused(`the token file ${tokenFile} cannot be read: ${toArmatureError(thrown).message}`, 'Correct --token-file.');
  }
  return tokenIn(text, `the token file ${tokenFile}`);
}

function tokenIn(text: string, where: string): Uint8Array {
  const bytes = tokenFromText(text.trim());
  if (bytes.ok) return bytes.value;
  throw refused(`${where} holds no token: ${bytes.error.message}`, bytes.error.remedy ?? '');
}

function refused(message: string, remedy: string): ArmatureError {
  return new ArmatureError('invalid-config', message, { remedy, details: { field: 'tokenFile' } });
}
