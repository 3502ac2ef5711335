/**
 * What links count. Plain numbers for `stats` and the telemetry port side by side: counters are touched once per frame or per
 * failure, never per record. Records per frame is the quotient of two of them.
 */
import type { Counter, Labels, Telemetry } from '@armature/runtime';

export interface LinkStats {
  readonly framesOut: number;
  readonly framesIn: number;
  readonly recordsOut: number;
  readonly recordsIn: number;
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** Requests that ran into their deadline. */
  readonly timeouts: number;
  /** Requests failed because nobody listened at the peer's subject. */
  readonly unreachable: number;
  /** Answers to requests that nobody waits for any more. */
  readonly lateReplies: number;
  /** Requests that may have waited for longer than their senders do: they were sent back, and not carried out. */
  readonly expired: number;
  /** Requests that waited because many bytes of large answers waited to be sent to their sender. */
  readonly held: number;
  /** Frames and records that were malformed. */
  readonly decodeErrors: number;
  /** Frames of a session that was not known: nothing in them was carried out, and their requests were sent back. */
  readonly unconfirmedFrames: number;
  /** Frames that had come before. */
  readonly replayedFrames: number;
  /** Frames of another cluster, secret or protocol version. */
  readonly refusedFrames: number;
  /** Requests refused for want of room, here or by this endpoint's handler limit. */
  readonly overloaded: number;
  /** Messages that were not sent because they are larger than a link takes. */
  readonly tooLarge: number;
  /** One-way messages that could not be sent or taken, and large messages that did not arrive whole. */
  readonly droppedMessages: number;
  readonly slowConsumers: number;
  readonly pending: number;
  readonly executing: number;
  readonly peers: number;
}

type Counted = Exclude<keyof LinkStats, 'pending' | 'executing' | 'peers'>;

const METRICS: Readonly<Record<Counted, readonly [name: string, help: string, labels?: Labels]>> = {
  framesOut: ['armature_link_frames_total', 'Frames by direction.', { direction: 'out' }],
  framesIn: ['armature_link_frames_total', 'Frames by direction.', { direction: 'in' }],
  recordsOut: [
    'armature_link_records_total',
    'Requests, replies and other records in frames, by direction.',
    { direction: 'out' },
  ],
  recordsIn: ['armature_link_records_total', 'Requests, replies and other records in frames, by direction.', { direction: 'in' }],
  bytesOut: ['armature_link_bytes_total', 'Bytes of frames, by direction.', { direction: 'out' }],
  bytesIn: ['armature_link_bytes_total', 'Bytes of frames, by direction.', { direction: 'in' }],
  timeouts: ['armature_link_timeouts_total', 'Requests without an answer before their deadline.'],
  unreachable: ['armature_link_unreachable_total', 'Requests failed because nobody listened at the peer.'],
  lateReplies: ['armature_link_late_replies_total', 'Answers that nobody waited for any more.'],
  expired: [
    'armature_link_expired_total',
    'Requests sent back and not carried out, because they may have waited for longer than their senders do.',
  ],
  held: ['armature_link_held_total', 'Requests that waited until large answers to their sender had been sent.'],
  decodeErrors: ['armature_link_decode_errors_total', 'Malformed frames and records.'],
  unconfirmedFrames: [
    'armature_link_unconfirmed_frames_total',
    'Frames of a session that was not known, whose requests were sent back.',
  ],
  replayedFrames: ['armature_link_replayed_frames_total', 'Frames that had come before, and were dropped.'],
  refusedFrames: ['armature_link_refused_frames_total', 'Frames of another cluster, secret or protocol version.'],
  overloaded: ['armature_link_overloaded_total', 'Requests refused for want of room.'],
  tooLarge: ['armature_link_too_large_total', 'Messages larger than a link takes, which were not sent.'],
  droppedMessages: ['armature_link_dropped_messages_total', 'One-way and large messages lost.'],
  slowConsumers: ['armature_link_slow_consumer_total', 'Times the bus said that this process does not keep up.'],
};

export class LinkMeter {
  readonly #numbers: Record<Counted, number>;
  readonly #counters: Readonly<Record<Counted, Counter>>;

  /** `role` labels every series: `node`, `client`, ... */
  constructor(telemetry: Telemetry, role: string) {
    const numbers: Partial<Record<Counted, number>> = {};
    const counters: Partial<Record<Counted, Counter>> = {};
    for (const key of Object.keys(METRICS) as Counted[]) {
      const [name, help, labels] = METRICS[key];
      numbers[key] = 0;
      counters[key] = telemetry.counter(name, help, { ...labels, role });
    }
    this.#numbers = numbers as Record<Counted, number>;
    this.#counters = counters as Record<Counted, Counter>;
  }

  add(what: Counted, amount = 1): void {
    this.#numbers[what] += amount;
    this.#counters[what].add(amount);
  }

  frameOut(bytes: number, records: number): void {
    this.add('framesOut');
    this.add('recordsOut', records);
    this.add('bytesOut', bytes);
  }

  frameIn(bytes: number, records: number): void {
    this.add('framesIn');
    this.add('recordsIn', records);
    this.add('bytesIn', bytes);
  }

  snapshot(gauges: Pick<LinkStats, 'pending' | 'executing' | 'peers'>): LinkStats {
    return { ...this.#numbers, ...gauges };
  }
}
