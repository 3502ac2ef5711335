/**
 * How a peer says that it will not read a frame: a word to the frame's refusal subject. Text, and never to change, because it
 * is what two versions that otherwise do not understand each other still share.
 */
import { utf8Decode, utf8Encode } from '@armature/kernel';

/**
 * `wrong-secret`: the same name, and another secret. `unauthenticated`: no token that this cluster has made. `overloaded`: there
 * is no room for one more door.
 */
export type RefusalCode = (typeof CODES)[number];

const CODES = ['wrong-cluster', 'wrong-secret', 'protocol-mismatch', 'unauthenticated', 'overloaded'] as const;
const PREFIX = 'refused ';

export function refusalPayload(code: RefusalCode): Uint8Array {
  return utf8Encode(PREFIX + code);
}

/** Undefined where this is none. */
export function parseRefusal(payload: Uint8Array): RefusalCode | undefined {
  if (payload.length > 64) return undefined;
  const text = utf8Decode(payload);
  return CODES.find((code) => text === PREFIX + code);
}
