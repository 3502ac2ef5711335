/** The refusal of bytes that came from elsewhere and are no version set. */
import { ArmatureError } from '@armature/kernel';

export function malformedSet(cause: Error): ArmatureError {
  return new ArmatureError('invalid-argument', `not a version set: ${cause.message}`, {
    cause,
    remedy: 'Report this: a peer sent what it must not.',
  });
}
