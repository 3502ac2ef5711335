/**
 * Whose bytes these are. A store opened by the wrong node, or by one of another cluster, does damage that no merge undoes:
 * dots would be minted under another's name. So the first to open a place stamps it, and everybody after checks the stamp
 * before touching anything else. The adapters say where the stamp is kept.
 */
import { ArmatureError } from '@armature/kernel';

export interface StorageIdentity {
  readonly cluster: string;
  /** The node the bytes belong to. Without it only the cluster is checked, as a tool that merely reads does. */
  readonly node?: string | undefined;
}

/** Of what is stored through this port: stamps, key spaces, the adapters' own encodings. Raised when one changes. */
export const STORAGE_FORMAT = 1;

/** The stamp as stored: readable, because an operator may look at it. */
export function stampText(identity: StorageIdentity, createdMs: number): string {
  const { cluster, node } = identity;
  return `${JSON.stringify({ format: STORAGE_FORMAT, cluster, node, created: new Date(createdMs).toISOString() }, undefined, 2)}\n`;
}

/** Throws `storage-foreign` if the stamp is of another owner or a newer format, `storage-corrupt` if it is no stamp. */
export function verifyStamp(text: string, identity: StorageIdentity, where: string): void {
  const stamp = parseStamp(text);
  if (stamp === undefined) {
    throw new ArmatureError('storage-corrupt', `the stamp of ${where} cannot be read`, {
      remedy: 'Restore it from a backup; or put the data aside and let the node start empty and be repaired by the others.',
    });
  }
  if (stamp.format > STORAGE_FORMAT) {
    throw foreign(`${where} has format ${stamp.format}, newer than ${STORAGE_FORMAT}`, 'Run the newer version that wrote it.');
  }
  if (stamp.cluster !== identity.cluster) {
    throw foreign(
      `${where} belongs to cluster ${stamp.cluster}, not ${identity.cluster}`,
      "Point this node at its own place, or correct the cluster's name.",
    );
  }
  if (identity.node !== undefined && stamp.node !== identity.node) {
    throw foreign(
      `${where} belongs to node ${stamp.node ?? '(none)'}, not ${identity.node}`,
      "Point this node at its own place, or correct the node's name.",
    );
  }
}

interface Stamp {
  readonly format: number;
  readonly cluster: string;
  readonly node: string | undefined;
}

function parseStamp(text: string): Stamp | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { format, cluster, node } = parsed as Readonly<Record<string, unknown>>;
  if (typeof format !== 'number' || typeof cluster !== 'string') return undefined;
  return { format, cluster, node: typeof node === 'string' ? node : undefined };
}

function foreign(message: string, remedy: string): ArmatureError {
  return new ArmatureError('storage-foreign', message, { remedy });
}
