/**
 * What operators see of coordinated requests, wherever they are coordinated: how long they take, and how they fail. Objectives
 * are about these, at the 99.9th percentile (paper, section 2.2); everything else is there to explain them.
 */
import { toArmatureError, type ErrorCode } from '@armature/kernel';
import type { Receipt } from '@armature/protocol';
import { LATENCY_BUCKETS_S, type Clock, type Counter, type Histogram, type Telemetry } from '@armature/runtime';

export type CoordinatedOperation = 'get' | 'put' | 'scan';

export class CoordinationMetrics {
  /** Replicas asked because those asked first were slow. */
  readonly hedges: Counter;
  /** Replicas brought up to date by read repair. */
  readonly repairs: Counter;
  /** Puts in buffered buckets of which no replica could make a durable copy. */
  readonly durableCopiesMissing: Counter;
  readonly #clock: Clock;
  readonly #telemetry: Telemetry;
  readonly #seconds: Readonly<Record<CoordinatedOperation, Histogram>>;
  readonly #fallbacks: Readonly<Record<'get' | 'put', Counter>>;
  /** By operation and code; made when first needed, since most never are. */
  readonly #failures = new Map<string, Counter>();

  constructor(clock: Clock, telemetry: Telemetry) {
    this.#clock = clock;
    this.#telemetry = telemetry;
    this.hedges = telemetry.counter('armature_coordination_hedges_total', 'Replicas asked because those asked first were slow.');
    this.repairs = telemetry.counter('armature_coordination_read_repairs_total', 'Replicas brought up to date by read repair.');
    this.durableCopiesMissing = telemetry.counter(
      'armature_coordination_durable_copies_missing_total',
      'Puts in buffered buckets of which no replica could make a durable copy.',
    );
    const seconds = (operation: CoordinatedOperation): Histogram =>
      telemetry.histogram(
        'armature_coordination_seconds',
        'Coordinated requests, from taking them on to the verdict, failed ones included.',
        LATENCY_BUCKETS_S,
        { operation },
      );
    this.#seconds = { get: seconds('get'), put: seconds('put'), scan: seconds('scan') };
    const fallbacks = (operation: 'get' | 'put'): Counter =>
      telemetry.counter('armature_coordination_fallbacks_total', 'Fallbacks that took part in place of an owner.', { operation });
    this.#fallbacks = { get: fallbacks('get'), put: fallbacks('put') };
  }

  /** Runs a coordinated request, and notes how long it took and how it failed. */
  async observed<T>(operation: CoordinatedOperation, run: () => Promise<T>): Promise<T> {
    const startedMs = this.#clock.monotonicMs();
    try {
      return await run();
    } catch (thrown) {
      this.#failed(operation, toArmatureError(thrown).code);
      throw thrown;
    } finally {
      this.#seconds[operation].observe((this.#clock.monotonicMs() - startedMs) / 1000);
    }
  }

  /** Notes who took part in a request that was coordinated here to its end. */
  tookPart(operation: 'get' | 'put', { replicas }: Receipt): void {
    for (const { role, outcome } of replicas) {
      if (role === 'fallback' && (outcome === 'ok' || outcome === 'durable')) this.#fallbacks[operation].add();
    }
  }

  #failed(operation: CoordinatedOperation, code: ErrorCode): void {
    const series = `${operation} ${code}`;
    let counter = this.#failures.get(series);
    if (counter === undefined) {
      const help = 'Coordinated requests that failed, by the code of the error.';
      counter = this.#telemetry.counter('armature_coordination_failures_total', help, { operation, code });
      this.#failures.set(series, counter);
    }
    counter.add();
  }
}
