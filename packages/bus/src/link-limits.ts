/** Every bound of a link in one place. All are per endpoint unless the name says otherwise. */
export interface LinkLimits {
  /**
   * A frame is sent at once when it has grown to this size, in bytes. 60 KiB: Node reads sockets 64 KiB at a time, and a
   * message that comes in more than one piece is put together byte by byte in the client library, which costs half as much again.
   */
  readonly frameBytes: number;
  /** A frame is sent at once when it holds this many records. Beyond a thousand nothing more is saved. */
  readonly frameRecords: number;
  /** Largest message, in bytes. Larger ones are refused where they are sent. */
  readonly messageBytes: number;
  /** Size of the fragments of messages that fit into no frame, in bytes. Larger than a frame: few pieces cost less here. */
  readonly fragmentBytes: number;
  /**
   * Fragments of large messages that are published before the bus is asked whether it has taken them, in bytes. Keeps a
   * large value from filling the socket's buffer (and the server's, where a slow consumer is cut off) in one go.
   */
  readonly fragmentWindowBytes: number;
  /** Large replies that may wait for their turn to one peer, in bytes; more are answered with `overloaded`. */
  readonly largeQueueBytesPerPeer: number;
  /** Requests without an answer yet. */
  readonly pendingPerPeer: number;
  readonly pendingTotal: number;
  /** Bytes of requests without an answer yet. A single larger request passes when it is alone. */
  readonly pendingBytesPerPeer: number;
  /** Requests from peers that the handler has not answered yet. */
  readonly executing: number;
  /** Incomplete messages being reassembled, all peers together, in bytes. */
  readonly reassemblyBytes: number;
  /** An incomplete message that has got no further for this long is dropped. */
  readonly reassemblyAgeMs: number;
  /** Peers remembered. Idle ones are forgotten first. */
  readonly peers: number;
  /** What `drain` waits for requests in hand, at most. */
  readonly drainMs: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const DEFAULT_LINK_LIMITS: LinkLimits = {
  frameBytes: 60 * KIB,
  frameRecords: 1024,
  messageBytes: 64 * MIB,
  fragmentBytes: 256 * KIB,
  fragmentWindowBytes: 2 * MIB,
  largeQueueBytesPerPeer: 128 * MIB,
  pendingPerPeer: 16_384,
  pendingTotal: 65_536,
  pendingBytesPerPeer: 64 * MIB,
  executing: 65_536,
  reassemblyBytes: 256 * MIB,
  reassemblyAgeMs: 30_000,
  peers: 4096,
  drainMs: 10_000,
};
