/** What a replica says of a record, or of a set from elsewhere, that is none. */
import { ArmatureError } from '@armature/kernel';

/** Of a stored record that failed its check. */
export function damagedRecord(): ArmatureError {
  return new ArmatureError('storage-corrupt', 'the record of a key failed its checksum', {
    remedy: 'The other replicas still serve the key and a repair restores it. Check the disk if this repeats.',
  });
}

/** Of bytes that came from elsewhere and are no version set. */
export function malformedSet(cause: Error): ArmatureError {
  return new ArmatureError('invalid-argument', `not a version set: ${cause.message}`, {
    cause,
    remedy: 'Report this: a peer sent what it must not.',
  });
}
