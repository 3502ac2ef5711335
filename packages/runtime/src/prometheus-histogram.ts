/**
 * A histogram for a prom-client registry that costs an addition per observation.
 *
 * prom-client's own looks its labels up anew at each `observe`, about a microsecond: dear on a path that takes ten. Here an
 * instrument is bound to its labels once and counts into plain arrays; what prom-client's exposition wants to see is made when
 * somebody scrapes. The page is the same to the byte.
 */
import { assert } from '@armature/kernel';
import type { Metric, Registry } from 'prom-client';
import type { Histogram, Labels } from './telemetry.js';

/** A value as the registry renders it: labels of its own first, then those of the process, then those of its series. */
interface ExposedValue {
  readonly metricName: string;
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly sharedLabels: Labels;
}

interface ExposedMetric<V> {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly values: readonly V[];
}

/** The part of prom-client's metrics that a registry uses. */
export class PrometheusHistogram {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly #upperBounds: readonly number[];
  readonly #series = new Map<string, Series>();

  /** `upperBounds` ascending, without infinity. */
  constructor(name: string, help: string, upperBounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#upperBounds = [...upperBounds];
  }

  /** As the registry's types want it: they know prom-client's own metrics only. */
  registerIn(registry: Registry): this {
    registry.registerMetric(this as unknown as Metric);
    return this;
  }

  /** The one series of these labels; from now on the page has it, at zero. */
  labelled(labels: Labels): Histogram {
    const key = keyOf(labels);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const series = new Series(this.#upperBounds, labels);
    this.#series.set(key, series);
    return series;
  }

  /** What `Registry.metrics` renders. */
  getForPromString(): Promise<ExposedMetric<ExposedValue>> {
    const values = [...this.#series.values()].flatMap((series) => series.exposed(this.name));
    return Promise.resolve(this.#with(values));
  }

  /** What `Registry.getMetricsAsJSON` gives. */
  async get(): Promise<ExposedMetric<Omit<ExposedValue, 'sharedLabels'>>> {
    const { values } = await this.getForPromString();
    return this.#with(values.map(({ sharedLabels, labels, ...rest }) => ({ ...rest, labels: { ...labels, ...sharedLabels } })));
  }

  reset(): void {
    for (const series of this.#series.values()) series.reset();
  }

  #with<V>(values: readonly V[]): ExposedMetric<V> {
    return { name: this.name, help: this.help, type: this.type, aggregator: this.aggregator, values };
  }
}

class Series implements Histogram {
  readonly #upperBounds: readonly number[];
  readonly #labels: Labels;
  /** Observations in each bucket alone; the last counts those above all bounds. */
  readonly #counts: number[];
  #sum = 0;

  constructor(upperBounds: readonly number[], labels: Labels) {
    this.#upperBounds = upperBounds;
    this.#labels = { ...labels };
    this.#counts = new Array<number>(upperBounds.length + 1).fill(0);
  }

  observe(value: number): void {
    assert(Number.isFinite(value), 'a histogram observes finite numbers: one NaN would spoil its sum for good');
    const bounds = this.#upperBounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
  }

  exposed(name: string): ExposedValue[] {
    const sharedLabels = this.#labels;
    const exposed: ExposedValue[] = [];
    let upTo = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      upTo += count;
      const le = this.#upperBounds[bucket] ?? '+Inf';
      exposed.push({ metricName: `${name}_bucket`, value: upTo, labels: { le }, sharedLabels });
    }
    exposed.push({ metricName: `${name}_sum`, value: this.#sum, labels: {}, sharedLabels });
    exposed.push({ metricName: `${name}_count`, value: upTo, labels: {}, sharedLabels });
    return exposed;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#sum = 0;
  }
}

/** The same for the same labels, in whatever order they are given. */
export function keyOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
