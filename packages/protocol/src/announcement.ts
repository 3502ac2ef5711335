/**
 * Announcements: a process says on the bus that its history has changed. Anybody may publish there, and none is believed: it is a
 * reason to ask over a link. A message of somebody else's making must not cost much, so it is refused unread above a size that no
 * honest one has.
 */
import { exactUtf8Decode, utf8Encode } from '@armature/kernel';

/** A link address, of at most 160 characters, and a fingerprint of 32. */
const MAX_ANNOUNCEMENT_BYTES = 256;

/** The process at this link address has a history of this fingerprint now. */
export interface Announcement {
  /** As it is said: who uses it checks it. */
  readonly address: string;
  readonly fingerprint: string;
}

export function formatAnnouncement({ address, fingerprint }: Announcement): Uint8Array {
  return utf8Encode(`${address} ${fingerprint}`);
}

/** Undefined for what is none. */
export function parseAnnouncement(payload: Uint8Array): Announcement | undefined {
  if (payload.length > MAX_ANNOUNCEMENT_BYTES) return undefined;
  const [address = '', fingerprint, ...more] = exactUtf8Decode(payload)?.split(' ') ?? [];
  if (fingerprint === undefined || more.length > 0 || !/^[0-9a-f]{32}$/.test(fingerprint)) return undefined;
  return { address, fingerprint };
}
