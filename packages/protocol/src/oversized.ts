/**
 * What is said of a key whose version set is larger than what is sent (`largestSetSentBytes`): to who wants its values, and to
 * who wants to move it.
 */
import { ArmatureError, exactUtf8Decode, toBase64Url } from '@armature/kernel';
import { bucketOfAddress, keyOfAddress, type Address } from '@armature/ring';

/** A longer key is cut off where it is shown. */
const MAX_KEY_CHARS = 200;

/**
 * Error `too-large`: what the key holds does not fit into a message. It stays where it is, and can be replaced and deleted.
 * `details.bucket` and `details.key` name it, the key in base64url where it is no UTF-8.
 */
export function tooLargeToSend(address: Address, details: Readonly<Record<string, unknown>> = {}): ArmatureError {
  const bucket = bucketOfAddress(address);
  const bytes = keyOfAddress(address);
  const text = exactUtf8Decode(bytes);
  const key = (text ?? toBase64Url(bytes)).slice(0, MAX_KEY_CHARS);
  const name = text === undefined ? `${key} (base64)` : JSON.stringify(key);
  return new ArmatureError('too-large', `the concurrent values of key ${name} of bucket ${bucket} do not fit into a message`, {
    remedy:
      'Get their sizes and a context without the values (outline of the library, get --sizes of the command line), and put one value with that context, which replaces all of them; or delete the key.',
    details: { bucket, key, ...details },
  });
}

/** Whether an error says that a set is too large to be sent, and not that a value or a key is. */
export function isTooLargeToSend(error: ArmatureError): boolean {
  return error.code === 'too-large' && error.details['bucket'] !== undefined;
}
