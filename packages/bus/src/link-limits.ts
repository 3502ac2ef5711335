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
  /**
   * Largest message that is taken from a peer, in bytes; `messageBytes` unless told. Smaller where requests are small and replies
   * are not.
   */
  readonly incomingBytes: number;
  /** Size of the fragments of messages that fit into no frame, in bytes. Larger than a frame: few pieces cost less here. */
  readonly fragmentBytes: number;
  /**
   * Fragments to one peer that it has not said it has received, in bytes; one at least may be on its way. So much of a large
   * value waits at most in the buffers of sockets, and in those of the server, which cuts off who does not read what piles up
   * there. Small messages to the same peer wait for so much at most. Over a connection with a round trip of 100 ms it allows 10
   * MiB per second.
   */
  readonly fragmentWindowBytes: number;
  /**
   * Whoever has said nothing of a full window for this long gets the next: what was on its way is lost, or the peer stands still.
   */
  readonly fragmentStallMs: number;
  /** Large replies that may wait for their turn to one peer, in bytes; more are answered with `overloaded`. */
  readonly largeQueueBytesPerPeer: number;
  /**
   * While so many bytes of large replies wait to be sent to one peer, requests of its that may have large answers are not carried
   * out yet: so no more of them is read and held than is on its way soon.
   */
  readonly backlogBytesPerPeer: number;
  /** The same for all peers together. A peer that has no reply waiting is answered whatever the others have. */
  readonly backlogBytes: number;
  /** Requests without an answer yet. */
  readonly pendingPerPeer: number;
  readonly pendingTotal: number;
  /** Bytes of requests without an answer yet. A single larger request passes when it is alone. */
  readonly pendingBytesPerPeer: number;
  /** Requests from peers that the handler has not answered yet. */
  readonly executing: number;
  /** The same of one group of peers (`peer-quota.ts`), at all endpoints that share a quota. */
  readonly executingPerGroup: number;
  /**
   * Bytes of the frames and messages that those came in, at all endpoints that share a quota. What goes beyond it is taken, and
   * nothing after it.
   */
  readonly executingBytes: number;
  /** The same of one group of peers. */
  readonly executingBytesPerGroup: number;
  /** Incomplete messages being reassembled, all peers together, in bytes; where no budget is shared. */
  readonly reassemblyBytes: number;
  /** An incomplete message that has got no further for this long is dropped. */
  readonly reassemblyAgeMs: number;
  /** Peers remembered, where no quota is shared. Idle ones are forgotten first. */
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
  incomingBytes: 64 * MIB,
  fragmentBytes: 256 * KIB,
  fragmentWindowBytes: MIB,
  fragmentStallMs: 5_000,
  largeQueueBytesPerPeer: 128 * MIB,
  backlogBytesPerPeer: 8 * MIB,
  backlogBytes: 128 * MIB,
  pendingPerPeer: 16_384,
  pendingTotal: 65_536,
  pendingBytesPerPeer: 64 * MIB,
  executing: 65_536,
  executingPerGroup: 65_536,
  executingBytes: 512 * MIB,
  executingBytesPerGroup: 512 * MIB,
  reassemblyBytes: 256 * MIB,
  reassemblyAgeMs: 30_000,
  peers: 4096,
  drainMs: 10_000,
};
