/**
 * Whether this node's wall clock can be believed. Wall clocks stamp versions and membership records. A stamp from a clock that is
 * an hour ahead wins over what others write in the next hour, and one from a clock that is behind loses to what has been
 * overwritten. So a node whose clock is wrong must not stamp versions; others can take the write.
 *
 * No single peer can be trusted to be right, but the majority can. Every frame of a peer says what its sender's wall clock
 * showed. We note by how much that exceeds our own
 * *monotonic* clock, which nobody sets. Our wall clock exceeds the monotonic one by some amount, too, and if this differs by more
 * than the limit from that of a
 * strict majority of all clocks known (our own counted), always to the same side, then our wall clock is wrong. Since nothing in
 * the comparison changes when our
 * wall clock is set, a jump is found out by the very next mint, and not only after the next word of a peer; and a node that has
 * been cut off goes on knowing.
 *
 * It takes two peers at least: where two clocks differ, nobody can say which of them is wrong.
 */
import { ArmatureError, DEFAULT_MAX_DRIFT_MS, type NodeId } from '@armature/kernel';
import type { ClockStanding } from '@armature/protocol';
import { repeat, type Clock, type Counter, type Logger, type Telemetry, type Timer } from '@armature/runtime';

/** What a peer's wall clock showed when it was heard. */
export interface HeardClock {
  readonly node: NodeId;
  /** ms since the Unix epoch. */
  readonly wallMs: number;
  /** By our monotonic clock. */
  readonly heardAtMs: number;
}

/** Between which two values a clock is not off the majority: everything below `low`, and above `high`, a majority contradicts. */
export interface MajorityRange {
  readonly low: number;
  readonly high: number;
}

/**
 * Where one more clock may stand so that no strict majority of all, that one counted, is on the other side of it. Sorted, the
 * others have as many below `low`, and above `high`, as they can without being such a majority. Fewer than two others contradict
 * nobody.
 */
export function majorityRange(others: readonly number[]): MajorityRange {
  const sorted = others.toSorted((a, b) => a - b);
  if (sorted.length < MIN_PEERS) return { low: -Infinity, high: Infinity };
  const index = Math.floor(sorted.length / 2) - 1;
  return { low: sorted[index] as number, high: sorted[sorted.length - 1 - index] as number };
}

/** How far a value is above the range; negative: below it. 0 within. */
export function offsetFrom({ low, high }: MajorityRange, value: number): number {
  if (value > high) return value - high;
  return value < low ? value - low : 0;
}

export interface ClockWatchEnv {
  /** The latest of each other member that has been heard. */
  readonly heard: () => Iterable<HeardClock>;
  /** The other members. */
  readonly peers: () => readonly NodeId[];
  /** Resolves when the peer has answered, and so has been heard. */
  readonly ping: (peer: NodeId, timeoutMs: number) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /** How far off the majority a clock may be, ms. */
  readonly limitMs?: number;
}

/** Where two clocks differ, nobody can say which of them is wrong. */
const MIN_PEERS = 2;
const LOOK_MS = 1_000;
/** What a start waits for peers to say what time it is. */
const COMPARE_MS = 1_000;
/** Of a peer that has not been heard for so long, the clock may have been set since. */
const SILENT_MS = 60_000;
/**
 * What was heard earlier counts for a day where too few have been heard of late: two quartz clocks drift apart by some seconds in
 * that time, a small part of the limit.
 */
const MAX_AGE_MS = 24 * 3_600_000;
/** Nothing has been compared yet: every clock is outside of it. */
const NOTHING: MajorityRange = { low: Infinity, high: -Infinity };

export class ClockWatch {
  readonly #env: ClockWatchEnv;
  readonly #limitMs: number;
  readonly #refused: Counter;
  /** Of wall clock minus our monotonic clock. */
  #range = NOTHING;
  #peers = 0;
  #isCompared = false;
  #isOff = false;
  #timer: Timer | undefined;

  constructor(env: ClockWatchEnv) {
    this.#env = env;
    this.#limitMs = env.limitMs ?? DEFAULT_MAX_DRIFT_MS;
    const { telemetry } = env;
    this.#refused = telemetry.counter(
      'armature_clock_refused_writes_total',
      "Writes left to other nodes, because this node's wall clock is wrong.",
    );
    telemetry.observedGauge(
      'armature_clock_offset_seconds',
      'How far the wall clock is ahead of the majority of the nodes; 0 while too few are known.',
      () => (this.standing.offsetMs ?? 0) / 1_000,
    );
  }

  get standing(): ClockStanding {
    const isKnown = this.#peers >= MIN_PEERS;
    return { offsetMs: isKnown ? Math.round(offsetFrom(this.#range, this.#difference())) : undefined, peers: this.#peers };
  }

  /** Whether the wall clock may stamp anything. */
  get isRight(): boolean {
    return this.#isCompared && Math.abs(this.#offsetMs()) <= this.#limitMs;
  }

  /** In words for an operator; undefined when all is well. */
  get note(): string | undefined {
    return this.#isCompared && !this.isRight ? describe(this.#offsetMs(), this.#peers) : undefined;
  }

  /** Asked for every mint. Throws `unavailable` while nothing may be stamped here: another node can take the write. */
  check(nowMs: number, monotonicMs: number): void {
    const difference = nowMs - monotonicMs;
    if (difference <= this.#range.high + this.#limitMs && difference >= this.#range.low - this.#limitMs) return;
    this.#look(); // peers may have been heard since, and have woken from the same sleep
    if (this.isRight) return;
    this.#refused.add();
    if (!this.#isCompared) {
      throw new ArmatureError('unavailable', 'this node has just started, and compares its clock with those of the others', {
        remedy: 'Repeat the write; another node can take it at once.',
      });
    }
    throw new ArmatureError('unavailable', describe(this.#offsetMs(), this.#peers), {
      remedy: 'Set the clock of that machine (NTP). Other nodes take the write meanwhile.',
      details: { offsetMs: Math.round(this.#offsetMs()) },
    });
  }

  /** Begins to watch. */
  start(): void {
    this.#timer ??= repeat(this.#env.clock, LOOK_MS, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /**
   * Asks those peers for their time that have not been heard of late. Resolves when all have answered or failed, at the latest
   * after a second. Until it has done so once, nothing is stamped.
   */
  async compare(): Promise<void> {
    const { peers, ping, clock, heard } = this.#env;
    const since = clock.monotonicMs() - SILENT_MS;
    const known = new Set([...heard()].filter(({ heardAtMs }) => heardAtMs >= since).map(({ node }) => node));
    const silent = peers().filter((peer) => !known.has(peer));
    await Promise.allSettled(silent.map((peer) => ping(peer, COMPARE_MS)));
    this.#isCompared = true;
    this.#look();
  }

  #look(): void {
    const { clock, heard, log } = this.#env;
    if (!this.#isCompared) return;
    const differences = differencesOf([...heard()], clock.monotonicMs());
    this.#range = majorityRange(differences);
    this.#peers = differences.length;
    const isOff = !this.isRight;
    if (isOff === this.#isOff) return;
    this.#isOff = isOff;
    const offsetMs = Math.round(this.#offsetMs());
    if (isOff) {
      log.error(
        { offsetMs, peers: this.#peers, limitMs: this.#limitMs, remedy: 'Set the clock of this machine (NTP).' },
        'the wall clock of this machine is wrong: this node leaves all writes to others until it is set',
      );
    } else log.info({ peers: this.#peers }, 'the wall clock of this machine agrees with the others again');
  }

  #difference(): number {
    const { clock } = this.#env;
    return clock.nowMs() - clock.monotonicMs();
  }

  #offsetMs(): number {
    return offsetFrom(this.#range, this.#difference());
  }
}

/**
 * By how much these clocks exceed our monotonic one: those heard of late if they can make a majority, else all of the last day.
 */
function differencesOf(heard: readonly HeardClock[], nowMs: number): number[] {
  const within = (ageMs: number): HeardClock[] => heard.filter(({ heardAtMs }) => nowMs - heardAtMs <= ageMs);
  const lately = within(SILENT_MS);
  return (lately.length >= MIN_PEERS ? lately : within(MAX_AGE_MS)).map(({ wallMs, heardAtMs }) => wallMs - heardAtMs);
}

function describe(offsetMs: number, peers: number): string {
  const by = `${Math.round(Math.abs(offsetMs) / 1_000)} s ${offsetMs > 0 ? 'ahead of' : 'behind'}`;
  return `the clock of this machine is ${by} the majority of ${peers + 1} nodes: it stamps no writes until it is set (NTP)`;
}
