/**
 * The telemetry port over a prom-client registry. Instruments of one name must agree on their label names.
 *
 * prom-client hashes the labels at every increment, which is dear on a path that takes microseconds, so counters add to a
 * plain number and hand over the difference when somebody scrapes; histograms are our own (`PrometheusHistogram`).
 */
import * as prometheus from 'prom-client';
import { PrometheusHistogram } from './prometheus-histogram.js';
import type { Labels, Telemetry } from './telemetry.js';

interface CountedSeries {
  readonly labels: Labels;
  total: number;
  exported: number;
}

export function prometheusTelemetry(registry: prometheus.Registry): Telemetry {
  const names = (labels: Labels): string[] => Object.keys(labels);
  const existing = <M>(name: string, make: () => M): M => (registry.getSingleMetric(name) as M | undefined) ?? make();
  return {
    counter(name, help, labels = {}) {
      const metric = existing(name, () => {
        const series: CountedSeries[] = [];
        const counter = new prometheus.Counter({
          name,
          help,
          labelNames: names(labels),
          registers: [registry],
          collect() {
            for (const one of series) {
              this.inc(one.labels, one.total - one.exported);
              one.exported = one.total;
            }
          },
        });
        return Object.assign(counter, { series });
      });
      const own: CountedSeries = { labels, total: 0, exported: 0 };
      metric.series.push(own);
      return { add: (amount = 1) => void (own.total += amount) };
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
        const readers: { labels: Labels; read: () => number }[] = [];
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
      metric.readers.push({ labels, read });
    },
  };
}
