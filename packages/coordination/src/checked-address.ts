/** The address of a user's key, where it enters: names and sizes are checked here, once, before anything is hashed or sent. */
import { ArmatureError, MAX_KEY_BYTES, err, ok, parseBucketName, type Result } from '@armature/kernel';
import { addressOf, type Address } from '@armature/ring';

/** Errors: `invalid-argument` (bucket name, empty key), `too-large` (key). */
export function checkedAddress(bucket: string, key: Uint8Array): Result<Address, ArmatureError> {
  const name = parseBucketName(bucket);
  if (!name.ok) return name;
  if (key.length === 0)
    return err(new ArmatureError('invalid-argument', 'the key is empty', { remedy: 'Give a key of at least one byte.' }));
  if (key.length > MAX_KEY_BYTES) {
    return err(
      new ArmatureError('too-large', `the key has ${key.length} bytes, the limit is ${MAX_KEY_BYTES}`, {
        remedy: 'Use a shorter key, e.g. a hash of it, and keep the long form in the value.',
        details: { sizeBytes: key.length, maxKeyBytes: MAX_KEY_BYTES },
      }),
    );
  }
  return ok(addressOf(name.value, key));
}
