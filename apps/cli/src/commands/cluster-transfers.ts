/** `armature cluster transfers`: data on the move, node by node, now or until everything is where it belongs. */
import { stripVTControlCharacters } from 'node:util';
import { EXIT } from '@armature/process';
import { define, option, type Outcome } from '../command.js';
import { followTransfers, takeTransferReport } from '../follow-transfers.js';
import { countText, plural, sizeText, tableText } from '../format.js';
import type { Session } from '../session.js';
import type { NodeTransfers, TransferReport } from '../transfer-report.js';

/** Of the copies under way, for each node. */
const SHOWN_COPIES = 3;

export const clusterTransfersCommand = define<{ watch?: boolean }>({
  details:
    '  state      filling: it copies what it is to own; leaving: it goes when others have what it holds\n' +
    '  pending    partitions that it is to own and has yet to copy; filled: those it has copied, in this fill or the last\n' +
    '  from       the present owners of what is pending\n' +
    '  received   in this fill or the last; only what it lacked is sent\n' +
    '  stray      partitions that it holds data of and does not own any more; it gives it up when the owners have it\n' +
    '  hints      kept for owners that could not be reached',
  options: [option('--watch', 'until everything is settled: redrawn on a terminal, else a line for each change; Ctrl-C leaves')],
  examples: ['cluster transfers', 'cluster transfers --watch', 'cluster transfers --json'],
  run: (session, _args, options) => (options.watch === true ? watch(session) : show(session)),
});

async function show(session: Session): Promise<Outcome> {
  const { admin } = await session.client();
  const report = await takeTransferReport(admin);
  if (session.voice.json) await session.printJson(report);
  else await session.print(reportText(session, report));
  return undefined;
}

async function watch(session: Session): Promise<Outcome> {
  const { admin } = await session.client();
  const interrupted = session.io.catchInterrupt();
  const tell = session.voice.json ? jsonLines(session) : session.io.stdout.isTTY === true ? drawing(session) : lines(session);
  const last = await followTransfers(admin, session.io.clock, interrupted, tell);
  return last.settled ? undefined : EXIT.interrupted;
}

type Tell = (report: TransferReport) => Promise<void>;

/** Each over the one before. */
function drawing(session: Session): Tell {
  let drawn = 0;
  return async (report) => {
    const text = reportText(session, report);
    const up = drawn === 0 ? '' : `\u001b[${drawn}A\u001b[0J`;
    drawn = rowsOf(text, session.io.stdout.columns ?? 80);
    await session.print(up + text);
  };
}

/** Rows of a terminal that a text takes: lines that are too long are broken. */
function rowsOf(text: string, columns: number): number {
  const lengths = text.split('\n').map((line) => stripVTControlCharacters(line).length);
  return lengths.reduce((rows, length) => rows + Math.max(1, Math.ceil(length / columns)), 0);
}

/** One for each node that is otherwise than before, without the rate, which always is. */
function lines(session: Session): Tell {
  const said = new Map<string, string>();
  return async (report) => {
    const news = report.nodes.flatMap((one) => {
      const line = nodeLine(one);
      const isNews = said.get(one.node) !== line && (said.has(one.node) || stateOf(one) !== '-');
      said.set(one.node, line);
      return isNews ? [line] : [];
    });
    for (const gone of [...said.keys()].filter((name) => !report.nodes.some(({ node }) => node === name))) {
      said.delete(gone);
      news.push(`${gone} has left`);
    }
    if (report.settled) news.push('Everything is settled.');
    if (news.length > 0) await session.print(news.join('\n'));
  };
}

function jsonLines(session: Session): Tell {
  let before = '';
  return async (report) => {
    const text = JSON.stringify(report);
    if (text === before) return;
    before = text;
    await session.print(text);
  };
}

function nodeLine(one: NodeTransfers): string {
  const { node, pending, filled, records, bytes, stray, hintBytes, problem } = one;
  const parts = [
    `${plural(filled, 'partition')} filled, ${countText(pending)} pending`,
    `${countText(records)} records, ${sizeText(bytes)} received`,
    ...(stray > 0 ? [plural(stray, 'stray partition')] : []),
    ...(hintBytes > 0 ? [`${sizeText(hintBytes)} of hints`] : []),
    ...(problem === undefined ? [] : [problem]),
  ];
  return `${node} ${stateOf(one)}: ${parts.join('; ')}`;
}

function stateOf({ answers, isLeaving, pending, stray }: NodeTransfers): string {
  if (!answers) return 'down';
  if (isLeaving) return 'leaving';
  if (pending > 0) return 'filling';
  return stray > 0 ? 'giving up' : '-';
}

function reportText(session: Session, report: TransferReport): string {
  const { colors } = session;
  const rows = report.nodes.map((one) => [
    one.node,
    stateOf(one),
    countText(one.pending),
    countText(one.filled),
    one.from.join(' ') || '-',
    countText(one.records),
    sizeText(one.bytes),
    one.pending > 0 ? `${sizeText(one.bytesPerSecond)}/s` : '-',
    countText(one.stray),
    sizeText(one.hintBytes),
  ]);
  const headings = ['node', 'state', 'pending', 'filled', 'from', 'records', 'received', 'rate', 'stray', 'hints'];
  return [
    tableText(session, headings, rows),
    ...report.nodes.flatMap(activeLines),
    '',
    ...report.nodes.flatMap(({ node, problem }) => (problem === undefined ? [] : [colors.yellow(`! ${node}: ${problem}`)])),
    report.settled
      ? colors.green('Everything is settled.')
      : report.pending > 0
        ? `${plural(report.pending, 'copy of a partition is', 'copies of partitions are')} to be made.`
        : 'Nothing is to be copied any more; what is left over is given up.',
  ].join('\n');
}

/** Not all of what may be dozens: a drawing has to fit on the screen to be drawn over. */
function activeLines({ node, active }: NodeTransfers): string[] {
  const lines = active
    .slice(0, SHOWN_COPIES)
    .map(
      ({ partition, from, records, bytes }) =>
        `  ${node} copies partition ${partition} from ${from}: ${countText(records)} records, ${sizeText(bytes)}`,
    );
  return active.length > SHOWN_COPIES
    ? [...lines, `  and ${plural(active.length - SHOWN_COPIES, 'more copy', 'more copies')}`]
    : lines;
}
