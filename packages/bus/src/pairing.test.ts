import { seededRandom, type Random } from '@armature/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Pairing, type FrameNumbers, type Hearing } from './pairing.js';

/** One end: its pairing, which it may lose. */
interface End {
  pairing: Pairing;
}

interface Frame extends FrameNumbers {
  readonly id: number;
  readonly to: 0 | 1;
}

/** Two ends that send frames to each other; everything that was ever sent can come again, and in any order. */
class Pair {
  readonly #random: Random;
  readonly ends: readonly [End, End];
  readonly sent: Frame[] = [];
  readonly waiting: Frame[] = [];
  readonly carriedOut: number[] = [];

  constructor(seed: number) {
    this.#random = seededRandom(`pair ${seed}`);
    this.ends = [this.#end(), this.#end()];
  }

  #end(): End {
    return { pairing: new Pairing(() => this.#random.u32()) };
  }

  send(from: 0 | 1, named = this.ends[from].pairing.peerNonce): void {
    const { pairing } = this.ends[from];
    const numbers = { session: pairing.session, nonce: pairing.nonce, named, sequence: pairing.nextSequence() };
    const frame: Frame = { ...numbers, id: this.sent.length, to: from === 0 ? 1 : 0 };
    this.sent.push(frame);
    this.waiting.push(frame);
  }

  deliver(frame: Frame): Hearing {
    const hearing = this.ends[frame.to].pairing.hear(frame);
    if (hearing === 'confirmed' || hearing === 'renewed') this.carriedOut.push(frame.id);
    else if (hearing === 'unconfirmed') this.send(frame.to, frame.nonce);
    return hearing;
  }

  restart(end: 0 | 1): void {
    this.ends[end].pairing = this.#end().pairing;
  }

  /** Whether a frame each way is carried out, after some exchanges over a bus that loses nothing. */
  settles(): boolean {
    this.waiting.length = 0;
    const before = this.carriedOut.length;
    for (let round = 0; round < 4; round++) {
      this.send(0);
      this.send(1);
      for (let steps = 0; this.waiting.length > 0; steps++) {
        if (steps > 100) return false;
        this.deliver(this.waiting.shift() as Frame);
      }
    }
    return this.carriedOut.length - before > 2 && this.sent.slice(-2).every(({ id }) => this.carriedOut.includes(id));
  }
}

const side = fc.constantFrom(0 as const, 1 as const);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), from: side }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('deliver' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('replay' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), end: side }) },
);

test('whatever is lost, overtaken or sent again by somebody who records everything, no frame is carried out twice', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(step, { maxLength: 80 }), (seed, steps) => {
      const pair = new Pair(seed);
      for (const one of steps) {
        if (one.kind === 'send') pair.send(one.from);
        else if (one.kind === 'restart') pair.restart(one.end);
        else {
          const from = one.kind === 'deliver' ? pair.waiting : pair.sent;
          const frame = from[one.which % Math.max(1, from.length)];
          if (frame === undefined) continue;
          if (one.kind === 'deliver') pair.waiting.splice(pair.waiting.indexOf(frame), 1);
          pair.deliver(frame);
        }
      }
      expect(new Set(pair.carriedOut).size).toBe(pair.carriedOut.length);
    }),
    { numRuns: 2_000 },
  );
});

test('whatever happened before, two that are there hear each other as soon as the bus delivers', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(step, { maxLength: 60 }), (seed, steps) => {
      const pair = new Pair(seed);
      for (const one of steps) {
        if (one.kind === 'send') pair.send(one.from);
        else if (one.kind === 'restart') pair.restart(one.end);
        else {
          const frame = pair.sent[one.which % Math.max(1, pair.sent.length)];
          if (frame !== undefined) pair.deliver(frame);
        }
      }
      expect(pair.settles()).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('first contact: the first frame is not carried out, the one that names the nonce of the answer is', () => {
  const pair = new Pair(1);
  pair.send(0);
  expect(pair.deliver(pair.sent[0] as Frame)).toBe('unconfirmed');
  expect(pair.deliver(pair.sent[1] as Frame)).toBe('renewed');
  pair.send(0);
  expect(pair.deliver(pair.sent[2] as Frame)).toBe('renewed');
  pair.send(0);
  expect(pair.deliver(pair.sent[3] as Frame)).toBe('confirmed');
  expect(pair.deliver(pair.sent[3] as Frame)).toBe('replayed');
});

test('a recording of a former life of the sender does not become its present one', () => {
  const pair = new Pair(2);
  expect(pair.settles()).toBe(true);
  const recorded = [...pair.sent];
  pair.restart(0);
  expect(pair.settles()).toBe(true);
  const { peerSession } = pair.ends[1].pairing;
  for (const frame of recorded) if (frame.to === 1) expect(pair.deliver(frame)).toBe('unconfirmed');
  expect(pair.ends[1].pairing.peerSession).toBe(peerSession);
});
