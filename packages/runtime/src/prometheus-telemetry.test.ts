import * as fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { LATENCY_BUCKETS_S, type Labels } from './telemetry.js';
import { prometheusTelemetry } from './prometheus-telemetry.js';

const observation = fc.oneof(
  fc.constantFrom(...LATENCY_BUCKETS_S),
  fc.double({ min: 0, max: 12, noNaN: true }),
  fc.double({ min: -1e9, max: 1e9, noNaN: true }),
);
const labelValue = fc.oneof(fc.constantFrom('get', 'put'), fc.string());
const plan = fc.oneof(
  fc.record({ names: fc.constant<string[]>([]), series: fc.constant<Labels[]>([{}]) }),
  fc.record({
    names: fc.constant(['operation', 'engine']),
    series: fc.uniqueArray(fc.record({ operation: labelValue, engine: labelValue }), {
      minLength: 1,
      maxLength: 4,
      selector: (labels) => JSON.stringify(labels),
    }),
  }),
);

test('histogram: the page is the one of a prom-client histogram fed the same values, to the byte, and so is the JSON', async () => {
  await fc.assert(
    fc.asyncProperty(
      plan,
      fc.array(fc.tuple(fc.nat(), observation), { maxLength: 100 }),
      fc.dictionary(fc.constantFrom('role', 'name', 'operation'), fc.constantFrom('node', 'n1')),
      fc.uniqueArray(fc.constantFrom(...LATENCY_BUCKETS_S), { minLength: 1 }).map((bounds) => bounds.sort((a, b) => a - b)),
      async ({ names, series }, observations, defaults, buckets) => {
        const ours = new Registry();
        const theirs = new Registry();
        for (const registry of [ours, theirs]) registry.setDefaultLabels(defaults);
        const help = 'Some "help"\\ with\nlines.';
        const telemetry = prometheusTelemetry(ours);
        const instruments = series.map((labels) => telemetry.histogram('x_seconds', help, buckets, labels));
        const reference = new Histogram({ name: 'x_seconds', help, buckets, labelNames: names, registers: [theirs] });
        for (const labels of series) reference.zero(labels);
        for (const [pick, value] of observations) {
          const at = pick % series.length;
          instruments[at]!.observe(value);
          reference.observe(series[at]!, value);
        }
        expect(await ours.metrics()).toBe(await theirs.metrics());
        const json = async (registry: Registry): Promise<unknown> => {
          const [metric] = await registry.getMetricsAsJSON();
          // Exemplars are prom-client's own affair.
          const values = metric!.values.map((value) => ({ ...value, exemplar: undefined }));
          return JSON.parse(JSON.stringify({ ...metric, values })) as unknown;
        };
        expect(await json(ours)).toEqual(await json(theirs));
      },
    ),
    { numRuns: 300 },
  );
});

test('histogram: instruments of one name and the same labels, in whatever order, are one series', async () => {
  const registry = new Registry();
  const telemetry = prometheusTelemetry(registry);
  telemetry.histogram('x', 'X.', [1], { a: '1', b: '2' }).observe(0.5);
  telemetry.histogram('x', 'X.', [1], { b: '2', a: '1' }).observe(7);
  telemetry.histogram('x', 'X.', [1], { a: '1', b: '3' }).observe(1);
  const page = await registry.metrics();
  expect(page).toContain('x_count{a="1",b="2"} 2\n');
  expect(page).toContain('x_bucket{le="1",a="1",b="3"} 1\n');
});

test('histogram: what is no finite number is refused, and spoils nothing', async () => {
  const registry = new Registry();
  const histogram = prometheusTelemetry(registry).histogram('x', 'X.', [1]);
  histogram.observe(0.25);
  for (const value of [NaN, Infinity, -Infinity]) expect(() => histogram.observe(value)).toThrow(/finite/);
  expect(await registry.metrics()).toContain('x_sum 0.25\nx_count 1\n');
});

test('histogram: a registry can reset and remove it like any other metric', async () => {
  const registry = new Registry();
  const telemetry = prometheusTelemetry(registry);
  telemetry.histogram('x', 'X.', [1]).observe(0.25);
  registry.resetMetrics();
  expect(await registry.metrics()).toContain('x_sum 0\nx_count 0\n');
  registry.removeSingleMetric('x');
  expect(await registry.metrics()).toBe('\n');
});

test('counters and gauges: counted between scrapes, exported at them', async () => {
  const registry = new Registry();
  const telemetry = prometheusTelemetry(registry);
  const counter = telemetry.counter('c_total', 'C.', { kind: 'a' });
  counter.add();
  counter.add(2);
  telemetry.gauge('g', 'G.').set(7);
  let seen = 1;
  telemetry.observedGauge('o', 'O.', () => seen, { of: 'it' });
  expect(await registry.metrics()).toContain('c_total{kind="a"} 3\n');
  counter.add();
  seen = 5;
  const page = await registry.metrics();
  expect(page).toContain('c_total{kind="a"} 4\n');
  expect(page).toContain('g 7\n');
  expect(page).toContain('o{of="it"} 5\n');
});
