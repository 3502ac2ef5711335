/** A plan for the eye: who gets how much from whom, how the load lies before and after, and what to think of first. */
import type { CostedPlan } from '@armature/client';
import { totalAmount, type PlannedShare, type TotalAmount } from '@armature/membership';
import { countText, percentText, plural, sizeText, tableText } from '../format.js';
import type { Session } from '../session.js';
import { changeWord } from './change-words.js';

export function planText(session: Session, plan: CostedPlan): string {
  const { colors } = session;
  const parts = [
    `cluster ${colors.bold(plan.cluster.name)}: ${plan.steps.map(({ change }) => changeWord(change)).join(' ')}`,
    ...(plan.steps.length > 1 ? [stepsText(plan)] : []),
    plan.transfers.length === 0 ? 'Nothing has to be copied.' : transfersText(session, plan),
    balanceText(session, plan),
    [
      ...plan.warnings.map(({ message }) => message),
      ...(plan.silent.length > 0
        ? [`${plan.silent.join(', ')} did not tell what ${plan.silent.length === 1 ? 'it holds' : 'they hold'}`]
        : []),
    ]
      .map((words) => colors.yellow(`! ${words}`))
      .join('\n'),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** `1,200 records, ≈1.2 MB`: `≈` where it is estimated, `?` where nothing is known. */
export function amountText(total: TotalAmount): string {
  return `${recordsText(total)} records, ${bytesText(total)}`;
}

function recordsText({ records, exact, ...total }: TotalAmount): string {
  return isUnknown(total) ? '?' : `${exact ? '' : '≈'}${countText(records)}`;
}

function bytesText({ bytes, exact, ...total }: TotalAmount): string {
  return isUnknown(total) ? '?' : `${exact ? '' : '≈'}${sizeText(bytes)}`;
}

function isUnknown({ transfers, unknown }: { readonly transfers: number; readonly unknown: number }): boolean {
  return transfers > 0 && transfers === unknown;
}

function stepsText({ steps }: CostedPlan): string {
  return steps
    .map(({ change, transfers, voided }, index) => {
      const isVoid =
        voided === 0
          ? ''
          : `; ${plural(voided, 'copy', 'copies')} of those before ${voided === 1 ? 'is' : 'are'} not needed then`;
      return `  ${index + 1}. ${changeWord(change)}: ${plural(transfers.length, 'copy', 'copies')} of partitions${isVoid}`;
    })
    .join('\n');
}

function transfersText(session: Session, { transfers, total }: CostedPlan): string {
  const receivers = [...new Set(transfers.map(({ to }) => to))];
  const rows = receivers.map((to) => {
    const own = transfers.filter((transfer) => transfer.to === to);
    const sum = totalAmount(own);
    const from = [...new Set(own.flatMap((transfer) => transfer.from))].sort();
    return [to, countText(partitionsOf(own)), recordsText(sum), bytesText(sum), from.join(' ')];
  });
  const partitions = receivers.reduce((sum, to) => sum + partitionsOf(transfers.filter((one) => one.to === to)), 0);
  if (rows.length > 1) rows.push(['total', countText(partitions), recordsText(total), bytesText(total), '']);
  return tableText(session, ['to', 'partitions', 'records', 'bytes', 'from'], rows);
}

/** A partition is one, though it has keys of buckets of several Ns. */
function partitionsOf(transfers: CostedPlan['transfers']): number {
  return new Set(transfers.map(({ partition }) => partition)).size;
}

function balanceText(session: Session, { before, after }: CostedPlan): string {
  const names = [...new Set([...before.nodes, ...after.nodes].map(({ node }) => node))].sort();
  const rows = names.map((name) => {
    const [was, is] = [before, after].map(({ nodes }) => nodes.find(({ node }) => node === name));
    return [name, ...shareTexts(was), ...shareTexts(is)];
  });
  return [
    `balance ${percentText(before.efficiency)} before, ${percentText(after.efficiency)} after (n=${after.n})`,
    tableText(session, ['node', 'partitions before', 'load', 'partitions after', 'load'], rows),
  ].join('\n');
}

/** Load is of the fair share. */
function shareTexts(share: PlannedShare | undefined): string[] {
  return share === undefined ? ['-', '-'] : [countText(share.partitions), percentText(share.load)];
}
