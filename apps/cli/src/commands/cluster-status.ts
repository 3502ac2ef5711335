/** `armature cluster status`: every member, what it says of itself, and what is wrong, in plain words. */
import { ArmatureError } from '@armature/kernel';
import { EXIT } from '@armature/process';
import { reportOf, type ClusterReport, type MemberReport } from '../cluster-report.js';
import { define, option, type Outcome } from '../command.js';
import { percentText, plural, sizeText, tableText } from '../format.js';
import type { Session } from '../session.js';

export const clusterStatusCommand = define<{ check?: boolean }>({
  details:
    'Asks one node for the history and every member for its state.\n' +
    '  share      part of the ring that the node owns first\n' +
    '  replicas   partitions that it holds a copy of\n' +
    '  pending    partitions that it is to hold and has yet to copy\n' +
    '  suspects   members that it takes for down at the moment\n' +
    '  clock      how far its wall clock is off the majority of the nodes',
  options: [option('--check', 'exit with 1 when anything is wrong, for monitoring')],
  examples: ['cluster status', 'cluster status --check --json'],
  run: (session, _args, options) => status(session, options.check === true),
});

async function status(session: Session, check: boolean): Promise<Outcome> {
  const { admin } = await session.client();
  const view = await admin.view();
  const report = reportOf(view, await admin.members());
  if (report === undefined) {
    throw new ArmatureError('no-cluster', `nodes of ${session.settings.cluster} run, but the cluster has not been created yet`, {
      remedy: 'armature cluster create --nodes <names>',
    });
  }
  if (session.voice.json) await session.printJson(report);
  else await session.print(reportText(session, report));
  return check && report.problems.length > 0 ? EXIT.failure : undefined;
}

function reportText(session: Session, report: ClusterReport): string {
  const { colors } = session;
  const rows = report.members.map((member) => [
    member.node,
    stateText(session, member),
    member.zone,
    String(member.weight),
    percentText(member.share),
    String(member.partitions),
    member.state === 'down' ? '-' : member.ready ? 'yes' : colors.yellow('no'),
    String(member.pending),
    member.suspects.join(',') || '-',
    member.storage === undefined ? '-' : `${member.storage.engine} ${sizeText(member.storage.sizeBytes)}`,
    clockText(member.clockOffsetMs),
    member.ring ?? '-',
  ]);
  const headings = [
    'node',
    'state',
    'zone',
    'weight',
    'share',
    'replicas',
    'ready',
    'pending',
    'suspects',
    'storage',
    'clock',
    'ring version',
  ];
  const moving = report.members.reduce((sum, { pending }) => sum + pending, 0);
  return [
    `cluster ${colors.bold(report.cluster)}  ${colors.dim(report.id)}`,
    `${plural(report.partitions, 'partition')}, strategy ${report.strategy}, arranged for ${plural(report.targetN, 'replica')}, balance ${percentText(report.efficiency)}`,
    '',
    tableText(session, headings, rows),
    '',
    ...(moving > 0
      ? [
          `${plural(moving, 'copy of a partition is', 'copies of partitions are')} on the way to new owners. Follow ${moving === 1 ? 'it' : 'them'}: armature cluster transfers --watch`,
        ]
      : []),
    ...report.problems.map((problem) => colors.yellow(`! ${problem}`)),
    ...(report.problems.length === 0 ? [colors.green('All members answer and agree.')] : []),
  ].join('\n');
}

/** Ahead: `+3600.0 s`; behind: `-0.2 s`. */
function clockText(offsetMs: number | undefined): string {
  if (offsetMs === undefined) return '-';
  return `${offsetMs < 0 ? '-' : '+'}${(Math.abs(offsetMs) / 1_000).toFixed(1)} s`;
}

function stateText({ colors }: Session, { state }: MemberReport): string {
  if (state === 'up') return colors.green(state);
  return state === 'down' ? colors.red(state) : colors.yellow(state);
}
