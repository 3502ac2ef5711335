/** Every bound of a link in one place. All are per endpoint unless the name says otherwise. */
export interface LinkLimits {
  /**
   * A frame is sent at once when it has grown to this size, in bytes. 256 KiB: far above what a turn usually gathers,
   * low enough that one frame delays the next by about a millisecond on a gigabit network.
   */
  readonly frameBytes: number;
  /** A frame is sent at once when it holds this many records. Beyond a thousand nothing more is saved. */
  readonly frameRecords: number;
  /** Largest message, in bytes. Larger ones are refused where they are sent. */
  readonly messageBytes: number;
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

const MIB = 1_048_576;

export const DEFAULT_LINK_LIMITS: LinkLimits = {
  frameBytes: MIB / 4,
  frameRecords: 1024,
  messageBytes: 64 * MIB,
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
