/** What a replica says of a record or a set that is none. */
import { ArmatureError } from '@armature/kernel';

/** Of a record that failed its check. */
export function damagedRecord(): ArmatureError {
  return new ArmatureError('storage-corrupt', 'the record of a key failed its checksum', {
    remedy: 'The other replicas still serve the key and a repair restores it. Check the disk if this repeats.',
  });
}
