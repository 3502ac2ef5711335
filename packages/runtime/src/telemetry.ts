/**
 * Metrics as a port. An instrument is bound to its labels when it is made, once, so that the hot path is one method call
 * on a number. Names follow Prometheus: `armature_<part>_<what>_<unit>[_total]`.
 */
export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(amount?: number): void;
}

export interface Gauge {
  set(value: number): void;
}

export interface Histogram {
  /** In the unit of the name; seconds for durations. */
  observe(value: number): void;
}

export interface Telemetry {
  counter(name: string, help: string, labels?: Labels): Counter;
  gauge(name: string, help: string, labels?: Labels): Gauge;
  histogram(name: string, help: string, buckets: readonly number[], labels?: Labels): Histogram;
  /** A gauge that is read when somebody looks, until it is removed. */
  observedGauge(name: string, help: string, read: () => number, labels?: Labels): ObservedGauge;
}

export interface ObservedGauge {
  /** Nothing is read any more, and what was read goes from the page. Idempotent. */
  remove(): void;
}

/** For one part of a process that ends before the process does. */
export interface ScopedTelemetry extends Telemetry {
  /** Removes the gauges that read from this part. What was counted stays: counters are sums over all parts of one kind. */
  close(): void;
}

/** `inner`, as long as the part runs. */
export function scopedTelemetry(inner: Telemetry): ScopedTelemetry {
  const gauges: ObservedGauge[] = [];
  return {
    counter: (...args) => inner.counter(...args),
    gauge: (...args) => inner.gauge(...args),
    histogram: (...args) => inner.histogram(...args),
    observedGauge(...args) {
      const gauge = inner.observedGauge(...args);
      gauges.push(gauge);
      return gauge;
    },
    close() {
      for (const gauge of gauges.splice(0)) gauge.remove();
    },
  };
}

/** From 0.1 ms to 10 s, three per decade: fine at a millisecond, where quorum latencies live. Seconds. */
export const LATENCY_BUCKETS_S: readonly number[] = [
  0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10,
];

const nothing = { add() {}, set() {}, observe() {}, remove() {} };

export const noTelemetry: Telemetry = {
  counter: () => nothing,
  gauge: () => nothing,
  histogram: () => nothing,
  observedGauge: () => nothing,
};

/** The twin for tests: `value('name{label="x"}')`; a histogram counts its observations. */
export function memoryTelemetry(): Telemetry & { value(series: string): number } {
  const values = new Map<string, number>();
  const observed = new Map<string, () => number>();
  const series = (name: string, labels: Labels = {}): string => {
    const inner = Object.entries(labels)
      .map(([key, value]) => `${key}="${value}"`)
      .join(',');
    return inner === '' ? name : `${name}{${inner}}`;
  };
  return {
    counter(name, _help, labels) {
      const key = series(name, labels);
      return { add: (amount = 1) => void values.set(key, (values.get(key) ?? 0) + amount) };
    },
    gauge(name, _help, labels) {
      const key = series(name, labels);
      return { set: (value) => void values.set(key, value) };
    },
    histogram(name, _help, _buckets, labels) {
      const key = series(name, labels);
      return { observe: () => void values.set(key, (values.get(key) ?? 0) + 1) };
    },
    observedGauge(name, _help, read, labels) {
      const key = series(name, labels);
      observed.set(key, read);
      return {
        remove() {
          if (observed.get(key) === read) observed.delete(key);
        },
      };
    },
    value: (key) => observed.get(key)?.() ?? values.get(key) ?? 0,
  };
}
