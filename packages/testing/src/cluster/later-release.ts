/**
 * A node of a later release, of another protocol version, in the place of one of ours: nobody here can read its frames, and it
 * reads none of ours. The header up to the address, and the text of a refusal, are all that two such releases share
 * (docs/protocol.md).
 */
import type { NodeId } from '@armature/kernel';
import type { SimulatedCluster } from './simulated-cluster.js';

/** What is answered to a frame of another version. */
export const VERSION_REFUSAL = 'refused protocol-mismatch';
const LATER_VERSION = 200;
const MAGIC = 0xa7;

export interface LaterRelease {
  /** What those it spoke to have answered. */
  readonly answers: readonly string[];
  /** Says something to a node, in its own version. */
  speakTo(peer: NodeId): void;
  end(): Promise<void>;
}

/** In the place of a node that is down: refuses every frame. */
export function laterRelease(cluster: SimulatedCluster, node: NodeId): LaterRelease {
  const { bus } = cluster.stranger(node);
  const { prefix, cluster: name } = cluster.names;
  const subjectOf = (peer: string): string => `${prefix}.${name}.link.node.${peer}`;
  const text = (word: string): number[] => [word.length, ...Buffer.from(word)];
  const frame = Uint8Array.from([MAGIC, LATER_VERSION, ...text(name), ...text(`node.${node}`), 1, 2, 3, 4, 5, 6, 7, 8]);
  const answers: string[] = [];
  bus.subscribe(subjectOf(node), (message) => void message.respond(Buffer.from(VERSION_REFUSAL)));
  bus.subscribe(`later.${node}`, (message) => {
    // Without a payload the bus says that nobody is there.
    if (message.status === undefined) answers.push(Buffer.from(message.payload).toString());
  });
  return {
    answers,
    speakTo: (peer) => bus.publish(subjectOf(peer), frame, { reply: `later.${node}` }),
    end: () => bus.drain(),
  };
}
