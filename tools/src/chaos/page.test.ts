import { expect, test } from 'vitest';
import { chartOf, linearTicks, logTicks } from './chart.js';
import { pageOf } from './page.js';
import { reportText } from './report.js';
import type { ChaosReport, FaultWithGap } from './run.js';

const fault: FaultWithGap = {
  ...{ number: 1, kind: 'kill', target: 'n2', atMs: 2_000, lastMs: 1_000, skipped: false, problem: '' },
  ...{ beganMs: 2_000, liftedMs: 3_000, recoveredMs: 4_500, gapMs: 120 },
};
const skipped: FaultWithGap = {
  ...{ ...fault, number: 2, target: 'n3', skipped: true, problem: 'busy' },
  ...{ liftedMs: undefined, recoveredMs: undefined },
};
const report: ChaosReport = {
  ...{
    seed: 5,
    nodes: 3,
    loadMs: 10_000,
    equalAfterMs: 2_000,
    keys: 40,
    dots: 90,
    violations: [],
    evidence: [],
    faults: [fault, skipped],
  },
  account: {
    counts: { acknowledged: 1_000, partial: 1, unknown: 2, refused: 0, unread: 3 },
    ...{ lost: [], returned: [], surfaced: [], unavailableMs: 120 },
  },
  largeAccount: {
    counts: { acknowledged: 30, partial: 0, unknown: 1, refused: 0, unread: 0 },
    ...{ lost: [], returned: [], surfaced: [], unavailableMs: 4_000 },
  },
  problems: { unavailable: 4, timeout: 2 },
  timeline: Array.from({ length: 10 }, (_, second) => ({
    ...{ second, acknowledged: second === 2 ? 0 : 100, failed: second === 2 ? 3 : 0 },
    p999Ms: second === 2 ? undefined : 10 * (second + 1),
  })),
};

/** Every element is closed, in order. */
function unclosed(markup: string): string[] {
  const open: string[] = [];
  for (const [, close, name = '', self] of markup.matchAll(/<(\/?)([a-zA-Z][\w-]*)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (self === '/' || ['meta', '!doctype'].includes(name)) continue;
    if (close !== '/') open.push(name);
    else if (open.at(-1) === name) open.pop();
    else return [...open, `/${name}`];
  }
  return open;
}

test('the page is well-formed and needs nothing from elsewhere', () => {
  const page = pageOf(report);
  expect(unclosed(page)).toEqual([]);
  expect(page).not.toMatch(/<script|<link|<img|src=|href=|url\(|@import/);
  expect(page).not.toMatch(/NaN|undefined|Infinity/);
  expect(page).toContain('prefers-color-scheme: dark');
});

test('the chart has axes with units, a band, a labelled mark and a title for each fault, and the figures of each second', () => {
  const chart = chartOf(report);
  for (const text of ['>writes / s<', '>ms<', '>seconds since the load began<', '>1 kill -9<', '>n2<'])
    expect(chart).toContain(text);
  expect(chart).toContain('<title>1: kill -9 n2 at 2.0 s, lifted at 3.0 s, recovered at 4.5 s</title>');
  expect(chart).toContain('<title>2 s: 0 acknowledged, 3 not, nothing ended</title>');
  expect(chart.match(/class="hover"/g)).toHaveLength(10);
  expect(chart).not.toContain('n3'); // left out: it did not happen
});

test('marks lie where their time is: a fault of a tenth of the load has a band of a tenth of the width', () => {
  const [, left, width] = /class="lasts kill" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/.exec(chartOf(report)) ?? [];
  const [first, last] = [...chartOf(report).matchAll(/class="hover" x="([\d.]+)"/g)]
    .map((match) => Number(match[1]))
    .filter((_, i) => i === 0 || i === 9) as [number, number];
  const second = (last - first) / 9;
  expect(Number(left)).toBeCloseTo(first + 2 * second, 0);
  expect(Number(width)).toBeCloseTo(second, 0);
});

test('a second in which nothing ended is a hole in the line of latency', () => {
  const path = /class="line" d="([^"]+)"/.exec(chartOf(report))?.[1] ?? '';
  expect(path.match(/M/g)).toHaveLength(2);
});

test('labels of faults that follow at once at one process shrink to their numbers', () => {
  const next = { ...fault, number: 2, beganMs: 2_100, liftedMs: 2_200, recoveredMs: 2_300 };
  expect(chartOf({ ...report, faults: [fault, next] })).toMatch(/>1<\/text>.*\n.*>2 kill -9<\/text>/);
});

test('what was not lifted or did not recover is drawn to the end, and said', () => {
  const hung = { ...fault, liftedMs: undefined, recoveredMs: undefined, problem: 'no <answer>' };
  const chart = chartOf({ ...report, faults: [hung] });
  expect(chart).toContain('not lifted, not recovered: no &lt;answer&gt;');
  expect(chart).not.toMatch(/NaN/);
});

test('an empty run can be drawn', () => {
  const empty = {
    ...report,
    loadMs: 1_000,
    faults: [],
    timeline: [{ second: 0, acknowledged: 0, failed: 0, p999Ms: undefined }],
  };
  expect(unclosed(pageOf(empty))).toEqual([]);
  expect(pageOf(empty)).not.toMatch(/NaN|Infinity/);
});

test('ticks are round, and reach over the data', () => {
  expect(linearTicks(230)).toEqual([0, 50, 100, 150, 200, 250]);
  expect(linearTicks(3)).toEqual([0, 1, 2, 3]);
  expect(linearTicks(0)).toEqual([0, 1]);
  expect(logTicks(8, 950)).toEqual([1, 10, 100, 1_000]);
  expect(logTicks(10, 10)).toEqual([10, 100]);
});

test('the text says what was lost, and what was not', () => {
  expect(reportText(report)).toContain(
    '1000 acknowledged, 0 lost, 1 partial, 2 unknown, 3 refused, unavailable for 120 ms at most',
  );
  expect(reportText(report)).toContain('values of 64 KiB to 10 MiB: 30 acknowledged, 0 lost');
  expect(reportText(report)).toContain('not acknowledged: 4 unavailable, 2 timeout');
  expect(reportText(report)).toContain('nothing lost');
  expect(reportText(report)).toMatch(/kill -9 n2\D+1\.0 s\D+1\.5 s\D+0\.1 s/);
  const bad = reportText({
    ...report,
    violations: ['lost: the acknowledged write 1'],
    evidence: ['n1 holds nothing'],
    account: undefined,
  });
  expect(bad).toContain('the final state could not be read');
  expect(bad).toContain('lost: the acknowledged write 1');
  expect(bad).toContain('n1 holds nothing');
  expect(bad).not.toContain('nothing lost');
});
