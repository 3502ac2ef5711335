/**
 * The timeline of a run as inline SVG: acknowledged writes per second, the 99.9th percentile, and a row for each process with its
 * faults, over one axis of time. Pure. Faults are bands through all panels, dark while they last and light until all has
 * recovered; titles tell the figures to whoever hovers. Colours are CSS variables, which the page sets for light and for dark
 * (`page.ts`).
 */
import { faultText, faultWord } from './schedule.js';
import type { FaultRecord, Second } from './timeline.js';

export interface ChartData {
  /** Of the whole load, ms. */
  readonly loadMs: number;
  readonly timeline: readonly Second[];
  readonly faults: readonly FaultRecord[];
}

const LEFT = 78;
const RIGHT = 24;
const TOP = 30;
const PANEL = 170;
const BETWEEN = 44;
const ROW = 24;
const AXIS = 48;
const LEAST_WIDTH = 880;
const MOST_WIDTH = 2_600;
const PIXELS_PER_SECOND = 5;
const CHARACTER = 6.2;
const MOST_TICKS = 22;
const TIME_STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600];

/** Maps ms since the load began to a place across, and lays the panels out down the page. */
interface Layout {
  readonly data: ChartData;
  readonly faults: readonly FaultRecord[];
  readonly targets: readonly string[];
  readonly width: number;
  readonly height: number;
  readonly bottom: number;
  readonly x: (ms: number) => number;
}

export function chartOf(whole: ChartData): string {
  // The last second is cut short by the end of the load, and would look like a fall.
  const data = {
    ...whole,
    timeline: whole.timeline.filter(({ second }, place) => place === 0 || (second + 1) * 1000 <= whole.loadMs),
  };
  const faults = data.faults.filter(({ skipped }) => !skipped);
  const targets = [...new Set(faults.map(({ target }) => target))].sort(byName);
  const plot = Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, (data.loadMs / 1000) * PIXELS_PER_SECOND));
  const bottom = rowTop(targets.length);
  const layout: Layout = {
    ...{ data, faults, targets, bottom },
    width: LEFT + plot + RIGHT,
    height: bottom + AXIS,
    x: (ms) => LEFT + (Math.min(ms, data.loadMs) / data.loadMs) * plot,
  };
  const { width, height } = layout;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="chart-title">`,
    '<title id="chart-title">Acknowledged writes per second, 99.9th percentile of latency, and faults, over time</title>',
    ...bands(layout),
    ...throughput(layout),
    ...latency(layout),
    ...hovers(layout),
    ...faultRows(layout),
    ...timeAxis(layout),
    '</svg>',
  ].join('\n');
}

/** Steps of 1, 2 or 5 times a power of ten from 0 to the first at or above `most`, four to nine of them. */
export function linearTicks(most: number): number[] {
  const rough = Math.max(most, 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, power * ([1, 2, 5, 10].find((factor) => power * factor >= rough) ?? 10));
  return Array.from({ length: Math.ceil(Math.max(most, 1) / step) + 1 }, (_, place) => place * step);
}

/** Powers of ten from at or below `least` to at or above `most`; two at least. Both above 0. */
export function logTicks(least: number, most: number): number[] {
  const first = Math.floor(Math.log10(least));
  const last = Math.max(first + 1, Math.ceil(Math.log10(most)));
  return Array.from({ length: last - first + 1 }, (_, place) => 10 ** (first + place));
}

export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function throughput({ data, width, x }: Layout): string[] {
  const top = TOP;
  const ticks = linearTicks(Math.max(...data.timeline.map(({ acknowledged, failed }) => Math.max(acknowledged, failed))));
  const most = ticks.at(-1) as number;
  const y = (count: number): number => top + PANEL - (count / most) * PANEL;
  const steps = (figure: (second: Second) => number): string =>
    data.timeline.map((one) => `H${at(x(one.second * 1000))}V${at(y(figure(one)))}H${at(x((one.second + 1) * 1000))}`).join('');
  const end = at(x(data.loadMs));
  const failed = data.timeline.filter((one) => one.failed > 0);
  return [
    panelTitle(top, 'acknowledged writes per second', 'acknowledged'),
    `<text class="name failed" x="${LEFT + 250}" y="${top - 10}">not acknowledged, per second</text>`,
    ...ticks.map((tick) => gridLine(width, y(tick), tick.toLocaleString('en'))),
    `<path class="area" d="M${LEFT} ${at(y(0))}${steps((one) => one.acknowledged)}H${end}V${at(y(0))}Z"/>`,
    ...failed.map((one) => {
      const [left, right] = [x(one.second * 1000), x((one.second + 1) * 1000)];
      const height = Math.max(1.5, y(0) - y(one.failed));
      return `<rect class="failures" x="${at(left)}" y="${at(y(0) - height)}" width="${at(Math.max(1, right - left))}" height="${at(height)}"/>`;
    }),
    axisTitle(top, 'writes / s'),
  ];
}

function latency({ data, width, x }: Layout): string[] {
  const top = TOP + PANEL + BETWEEN;
  const measured = data.timeline.flatMap(({ second, p999Ms }) =>
    p999Ms === undefined ? [] : [{ second, ms: Math.max(0.1, p999Ms) }],
  );
  const all = measured.map(({ ms }) => ms);
  const ticks = all.length === 0 ? logTicks(1, 1_000) : logTicks(Math.min(...all), Math.max(...all));
  const [least, most] = [Math.log10(ticks[0] as number), Math.log10(ticks.at(-1) as number)];
  const y = (ms: number): number => top + PANEL - ((Math.log10(ms) - least) / (most - least)) * PANEL;
  // A second in which nothing ended is a hole in the line, not a value.
  const path = measured.map(({ second, ms }, place) => {
    const pen = measured[place - 1]?.second === second - 1 ? 'L' : 'M';
    return `${pen}${at(x(second * 1000 + 500))} ${at(y(ms))}`;
  });
  return [
    panelTitle(top, 'p99.9 of all operations that ended in the second, ms (log scale)', 'latency'),
    ...ticks.map((tick) => gridLine(width, y(tick), tick.toLocaleString('en'))),
    `<path class="line" d="${path.join('')}"/>`,
    ...measured.map(({ second, ms }) => `<circle class="dot" cx="${at(x(second * 1000 + 500))}" cy="${at(y(ms))}" r="1.4"/>`),
    axisTitle(top, 'ms'),
  ];
}

function bands({ data, faults, bottom, x }: Layout): string[] {
  return faults.map((fault) => {
    const [began, lifted, ended] = [fault.beganMs, fault.liftedMs ?? data.loadMs, fault.recoveredMs ?? data.loadMs].map(x) as [
      number,
      number,
      number,
    ];
    const band = (kind: string, from: number, to: number): string =>
      `<rect class="${kind} ${fault.kind}" x="${at(from)}" y="${TOP}" width="${at(Math.max(0.8, to - from))}" height="${bottom - TOP}"/>`;
    return band('lasts', began, lifted) + band('recovers', lifted, ended);
  });
}

/** One unseen column for each second, over both panels, with its figures. */
function hovers({ data, x }: Layout): string[] {
  return data.timeline.map(({ second, acknowledged, failed, p999Ms }) => {
    const [left, right] = [x(second * 1000), x((second + 1) * 1000)];
    const p999 = p999Ms === undefined ? 'nothing ended' : `p99.9 ${p999Ms.toFixed(1)} ms`;
    const title = `${second} s: ${acknowledged} acknowledged, ${failed} not, ${p999}`;
    return `<rect class="hover" x="${at(left)}" y="${TOP}" width="${at(right - left)}" height="${PANEL * 2 + BETWEEN}"><title>${title}</title></rect>`;
  });
}

function faultRows({ data, faults, targets, width, x }: Layout): string[] {
  const rows = targets.flatMap((target, row) => {
    const top = rowTop(row);
    const own = faults.filter((fault) => fault.target === target).sort((a, b) => a.beganMs - b.beganMs);
    return [
      `<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${top + ROW}" y2="${top + ROW}"/>`,
      `<text class="tick" x="${LEFT - 8}" y="${top + ROW - 5}" text-anchor="end">${escapeText(target)}</text>`,
      ...own.map((fault, place) => faultMark(fault, own[place + 1], top)),
    ];
  });
  const label = `<text class="name" x="${LEFT}" y="${rowTop(0) - 8}">faults: dark while one lasts, light until all has recovered</text>`;
  return targets.length === 0 ? [] : [label, ...rows];

  function faultMark(fault: FaultRecord, next: FaultRecord | undefined, top: number): string {
    const { number, kind, beganMs } = fault;
    const [began, lifted, ended] = [beganMs, fault.liftedMs ?? data.loadMs, fault.recoveredMs ?? data.loadMs].map(x) as [
      number,
      number,
      number,
    ];
    const full = `${number} ${faultWord(kind)}`;
    const room = (next === undefined ? width : x(next.beganMs)) - began;
    const text = full.length * CHARACTER < room ? full : String(number);
    // At the right edge a label ends at its mark instead of beginning there.
    const isAtEnd = began + text.length * CHARACTER > width - RIGHT;
    const bar = (shade: string, from: number, to: number): string =>
      `<rect class="bar ${shade} ${kind}" x="${at(from)}" y="${top + ROW - 7}" width="${at(Math.max(2, to - from))}" height="6"/>`;
    return [
      `<g><title>${escapeText(markTitle(fault))}</title>`,
      bar('after', lifted, ended),
      bar('during', began, lifted),
      `<text class="mark" x="${at(isAtEnd ? ended : began)}" y="${top + ROW - 10}"${isAtEnd ? ' text-anchor="end"' : ''}>${text}</text></g>`,
    ].join('');
  }
}

function markTitle(fault: FaultRecord): string {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const lifted = fault.liftedMs === undefined ? 'not lifted' : `lifted at ${seconds(fault.liftedMs)}`;
  const recovered = fault.recoveredMs === undefined ? 'not recovered' : `recovered at ${seconds(fault.recoveredMs)}`;
  return `${fault.number}: ${faultText(fault)} at ${seconds(fault.beganMs)}, ${lifted}, ${recovered}${fault.problem === '' ? '' : `: ${fault.problem}`}`;
}

function timeAxis({ data, width, bottom, x }: Layout): string[] {
  const seconds = data.loadMs / 1000;
  const step = TIME_STEPS.find((one) => seconds / one <= MOST_TICKS) ?? 7_200;
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, place) => place * step);
  return [
    `<line class="axis" x1="${LEFT}" x2="${width - RIGHT}" y1="${bottom}" y2="${bottom}"/>`,
    ...ticks.map((tick) => {
      const place = at(x(tick * 1000));
      return `<line class="axis" x1="${place}" x2="${place}" y1="${bottom}" y2="${bottom + 5}"/><text class="tick" x="${place}" y="${bottom + 18}" text-anchor="middle">${tick}</text>`;
    }),
    `<text class="title" x="${(LEFT + width - RIGHT) / 2}" y="${bottom + 38}" text-anchor="middle">seconds since the load began</text>`,
  ];
}

function rowTop(row: number): number {
  return TOP + 2 * (PANEL + BETWEEN) + row * ROW;
}

function panelTitle(top: number, text: string, series: string): string {
  return `<text class="name ${series}" x="${LEFT}" y="${top - 10}">${text}</text>`;
}

function axisTitle(top: number, text: string): string {
  const y = top + PANEL / 2;
  return `<text class="title" x="18" y="${y}" text-anchor="middle" transform="rotate(-90 18 ${y})">${text}</text>`;
}

function gridLine(width: number, y: number, label: string): string {
  return `<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${at(y)}" y2="${at(y)}"/><text class="tick" x="${LEFT - 8}" y="${at(y + 4)}" text-anchor="end">${label}</text>`;
}

/** n2 before n10, nodes before the others. */
function byName(a: string, b: string): number {
  const isNode = (name: string): number => (/^n\d+$/.test(name) ? 0 : 1);
  return isNode(a) - isNode(b) || a.localeCompare(b, 'en', { numeric: true });
}

/** A coordinate, short enough to read. */
function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}
