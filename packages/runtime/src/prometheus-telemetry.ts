/**
 * The telemetry port over a prom-client registry. Instruments of one name must agree on their label names.
 *
 * prom-client hashes the labels at every increment, which is dear on a path that takes microseconds, so counters add to a
 * plain number and hand over the difference when somebody scrapes; histograms are our own (`PrometheusHistogram`).
 */
import * as prometheus from 'prom-client';
import { keyOf, PrometheusHistogram } from './prometheus-histogram.js';
import type { Counter, Labels, Telemetry } from './telemetry.js';

/** All that is counted under the same labels, by however many parts of the process. */
class CountedSeries implements Counter {
  readonly labels: Labels;
  #exported = 0;
  #total = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(amount = 1): void {
    this.#total += amount;
  }

  /** Since the last scrape. */
  takeNew(): number {
    const amount = this.#total - this.#exported;
    this.#exported = this.#total;
    return amount;
  }
}

interface Reader {
  readonly labels: Labels;
  readonly read: () => number;
}

export function prometheusTelemetry(registry: prometheus.Registry): Telemetry {
  const names = (labels: Labels): string[] => Object.keys(labels);
  const existing = <M>(name: string, make: () => M): M => (registry.getSingleMetric(name) as M | undefined) ?? make();
  return {
    counter(name, help, labels = {}) {
      const metric = existing(name, () => {
        const series = new Map<string, CountedSeries>();
        const counter = new prometheus.Counter({
          name,
          help,
          labelNames: names(labels),
          registers: [registry],
          collect() {
            for (const one of series.values()) this.inc(one.labels, one.takeNew());
          },
        });
        return Object.assign(counter, { series });
      });
      const key = keyOf(labels);
      let series = metric.series.get(key);
      if (series === undefined) metric.series.set(key, (series = new CountedSeries(labels)));
      return series;
    },
    gauge(name, help, labels = {}) {
      const metric = existing(name, () => new prometheus.Gauge({ name, help, labelNames: names(labels), registers: [registry] }));
      const child = metric.labels(labels);
      return { set: (value) => child.set(value) };
    },
    histogram(name, help, buckets, labels = {}) {
      return existing(name, () => new PrometheusHistogram(name, help, buckets).registerIn(registry)).labelled(labels);
    },
    observedGauge(name, help, read, labels = {}) {
      const metric = existing(name, () => {
        const readers = new Set<Reader>();
        const gauge = new prometheus.Gauge({
          name,
          help,
          labelNames: names(labels),
          registers: [registry],
          collect() {
            for (const reader of readers) this.set(reader.labels, reader.read());
          },
        });
        return Object.assign(gauge, { readers });
      });
      const reader: Reader = { labels, read };
      metric.readers.add(reader);
      return {
        remove() {
          if (!metric.readers.delete(reader)) return;
          // Others under the same labels put their value there again at the next scrape.
          metric.remove(labels);
        },
      };
    },
  };
}
