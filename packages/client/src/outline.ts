/** What a key holds, without the values: enough to replace or to delete it, however large its values are together. */
import type { Receipt } from '@armature/protocol';
import type { ReadContext } from './read-context.js';

export interface OutlinedSibling {
  /** Of the encoded value. */
  readonly sizeBytes: number;
  /** When it was written, by the clock of the replica that minted it. */
  readonly writtenAt: Date;
}

export interface Outline {
  /** All concurrent values; none when the key was never written or is deleted. */
  readonly siblings: readonly OutlinedSibling[];
  /** A put or delete with it replaces all these values, unread. Undefined when nothing was found. */
  readonly context: ReadContext | undefined;
  readonly receipt: Receipt;
}
