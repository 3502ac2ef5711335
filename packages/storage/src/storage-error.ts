/**
 * The errors every engine shares, worded once. The adapters add those that only they can explain (a lock file, a foreign
 * directory, a Redis out of memory).
 */
import { ArmatureError } from '@armature/kernel';

/** For any call on a closed engine or store. */
export function closedError(what: string): ArmatureError {
  return new ArmatureError('closed', `the ${what} is closed`, { remedy: 'Open it again, or stop using it after close().' });
}

/** A write refused because too much is waiting for the device. */
export function overloadedError(pending: number, limit: number, unit: 'bytes' | 'objects', retryAfterMs: number): ArmatureError {
  return new ArmatureError('overloaded', `${pending} ${unit} wait to be stored, of at most ${limit}`, {
    remedy: 'Repeat after a pause; if it persists the disk is slower than the load, so add nodes or raise the overlay limit.',
    details: { retryAfterMs, pending, limit, unit },
  });
}
