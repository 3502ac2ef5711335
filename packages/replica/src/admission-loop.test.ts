/** The whole loop in virtual time: a foreground that background work slows down, watched, and the slices that this leaves. */
import { ManualClock, noTelemetry, sleep } from '@armature/runtime';
import { expect, onTestFinished, test } from 'vitest';
import { MIN_RATE } from './admission-controller.js';
import { BackgroundSlices } from './background-slices.js';
import { ForegroundWatch } from './foreground-watch.js';

const WELL_MS = 5;
const SLOW_MS = 120;

class Node {
  readonly clock = new ManualClock();
  readonly foreground = new ForegroundWatch(this.clock, noTelemetry);
  readonly slices = new BackgroundSlices({
    clock: this.clock,
    telemetry: noTelemetry,
    look: (nowMs) => this.foreground.look(nowMs, { storeQueueShare: 0, eventLoopDelayMs: 0 }),
  });
  /** Slices a second that the foreground does not feel. */
  capacity = Infinity;
  /** Slow whatever the background does. */
  isOverloaded = false;
  granted = 0;
  slow = 0;
  fast = 0;
  /** When the last so many slices were granted. */
  readonly #recent: number[] = [];

  constructor() {
    onTestFinished(() => this.slices.stop());
    this.#ask();
    void this.#work();
  }

  /** 200 requests a second. */
  #ask(): void {
    const nowMs = this.clock.monotonicMs();
    while ((this.#recent[0] ?? nowMs) < nowMs - 250) this.#recent.shift();
    const isSlow = this.isOverloaded || this.#recent.length * 4 > this.capacity;
    if (isSlow) this.slow++;
    else this.fast++;
    void this.foreground.request(() => sleep(this.clock, isSlow ? SLOW_MS : WELL_MS));
    this.clock.after(5, () => this.#ask());
  }

  async #work(): Promise<void> {
    try {
      for (;;) {
        await this.slices.slice('repair');
        this.granted++;
        this.#recent.push(this.clock.monotonicMs());
      }
    } catch {
      // The test is over.
    }
  }

  /** Ms until `isReached`, looked at every 50 ms. */
  async until(isReached: () => boolean): Promise<number> {
    const startMs = this.clock.monotonicMs();
    while (!isReached()) await this.clock.advance(50);
    return this.clock.monotonicMs() - startMs;
  }
}

test('the foreground turns slow: half the rate within 0.75 s of the first slow request, a tenth within 3 s, then the trickle', async () => {
  const node = new Node();
  await node.until(() => node.slices.state.rate >= 500);
  const before = node.slices.state.rate;
  node.isOverloaded = true;
  expect(await node.until(() => node.slices.state.rate <= before / 2)).toBeLessThanOrEqual(750);
  expect(await node.until(() => node.slices.state.rate <= before / 10)).toBeLessThanOrEqual(2_250);
  await node.until(() => node.slices.state.rate === MIN_RATE);
  node.isOverloaded = false;
  // The minute remembers; then it grows again.
  expect(await node.until(() => node.slices.state.rate > 100)).toBeLessThanOrEqual(70_000);
});

test('background work that slows the foreground down itself: it finds about what there is to spare, and the foreground is well nearly always', async () => {
  const node = new Node();
  node.capacity = 200;
  await node.clock.advance(120_000);
  [node.slow, node.fast, node.granted] = [0, 0, 0];
  await node.clock.advance(600_000);
  expect(node.slow / (node.slow + node.fast)).toBeLessThan(0.02);
  expect(node.granted / 600).toBeGreaterThan(200 * 0.25);
  expect(node.granted / 600).toBeLessThan(200);
});
