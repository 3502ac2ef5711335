/** The chart and the figures of a run as one HTML file that needs nothing else: no script, no font, no link. Pure. */
import { chartOf, escapeText } from './chart.js';
import { FAULT_COLUMNS, faultRow, summaryLines } from './report.js';
import type { ChaosReport } from './run.js';
import { CHAOS_KINDS } from './schedule.js';

const STYLE = `
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1c2430; --soft: #5b6675; --grid: #dde2e8; --write: #1668b8; --slow: #7a3fb0; --bad: #c62828;
  --kill: #d32f2f; --pause: #e08600; --nats-restart: #00838f; --join: #2e7d32; --leave: #6d4c41; --clock: #ad1457; --name-clash: #546e7a; }
@media (prefers-color-scheme: dark) { :root { --ground: #14181e; --ink: #e7ebf0; --soft: #9aa6b4; --grid: #2c343f; --write: #5aa9f0; --slow: #c596f2; --bad: #ff6b6b;
  --kill: #ff6b6b; --pause: #ffb74d; --nats-restart: #4dd0e1; --join: #81c784; --leave: #bc9a8d; --clock: #f48fb1; --name-clash: #90a4ae; } }
body { margin: 2rem; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.3rem; }
.scroll { overflow-x: auto; }
.good { color: var(--join); } .bad { color: var(--bad); }
table { border-collapse: collapse; margin-top: 1.5rem; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .8rem; border-bottom: 1px solid var(--grid); text-align: right; } th { color: var(--soft); font-weight: 500; }
th:nth-child(3), td:nth-child(3) { text-align: left; }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }
svg .tick { fill: var(--soft); } svg .title { fill: var(--soft); font-size: 12px; } svg .name { font-size: 12px; font-weight: 600; }
svg .acknowledged { fill: var(--write); } svg .latency { fill: var(--slow); } svg .failed { fill: var(--bad); }
svg .grid { stroke: var(--grid); } svg .axis { stroke: var(--soft); }
svg .area { fill: var(--write); fill-opacity: .3; stroke: var(--write); stroke-width: 1.2; } svg .failures { fill: var(--bad); }
svg .line { fill: none; stroke: var(--slow); stroke-width: 1.4; } svg .dot { fill: var(--slow); }
svg .hover { fill: transparent; } svg .hover:hover { fill: var(--soft); fill-opacity: .15; }
svg .lasts { fill-opacity: .2; } svg .recovers { fill-opacity: .07; } svg .after { fill-opacity: .4; }
${CHAOS_KINDS.map((kind) => `svg .${kind} { fill: var(--${kind}); }`).join(' ')}
`;

export function pageOf(report: ChaosReport): string {
  const [figures = '', ...rest] = summaryLines(report);
  const verdict = report.violations.length === 0 ? 'good' : 'bad';
  const cells = (tag: 'th' | 'td', texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${escapeText(text)}</${tag}>`).join('')}</tr>`;
  return [
    '<!doctype html>',
    '<html lang="en">',
    `<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Chaos, seed ${escapeText(String(report.seed))}</title><style>${STYLE}</style></head>`,
    '<body>',
    `<h1>Chaos: ${report.nodes} nodes under faults for ${(report.loadMs / 1000).toFixed(0)} s</h1>`,
    `<p class="${verdict}">${escapeText(figures)}</p>`,
    ...rest.map((line) => `<p>${escapeText(line)}</p>`),
    `<div class="scroll">${chartOf(report)}</div>`,
    '<table>',
    cells('th', FAULT_COLUMNS),
    ...report.faults.map((fault) => cells('td', faultRow(fault))),
    '</table>',
    '</body></html>',
    '',
  ].join('\n');
}
