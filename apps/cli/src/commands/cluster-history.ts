/**
 * `armature cluster history`: the changes that made the cluster what it is, and the other commands that were given, oldest first.
 * The ring is a function of the changes.
 */
import { hlcToMs } from '@armature/kernel';
import type { Change, ChangeRecord, CommandRecord } from '@armature/protocol';
import { define, option, type Outcome } from '../command.js';
import { plural, tableText } from '../format.js';
import type { Session } from '../session.js';

/** What nodes state of themselves; the rest are commands of an administrator. */
const ANNOUNCEMENTS: ReadonlySet<Change['kind']> = new Set<Change['kind']>(['ready', 'left', 'actor']);

export const clusterHistoryCommand = define<{ all?: boolean }>({
  details:
    'Oldest first. Each member keeps the last 1,000 of the commands that change no membership (repair, reap, pausing workers, and those that were refused), and one that was given again within ten\n' +
    'minutes is counted with the first. What nodes announce of themselves (that they hold what they became owners of) is shown with --all.',
  options: [option('--all', 'with the announcements of nodes')],
  examples: ['cluster history', 'cluster history --all --json'],
  run: (session, _args, options) => history(session, options.all === true),
});

async function history(session: Session, all: boolean): Promise<Outcome> {
  const { admin } = await session.client();
  const [records, { commands, silent }] = await Promise.all([admin.history(), admin.commands()]);
  if (session.voice.json) {
    await session.printJson({ changes: records, commands, silent });
    return undefined;
  }
  const shown = all ? records : records.filter(({ change }) => !ANNOUNCEMENTS.has(change.kind));
  const lines = [...shown.map(lineOfChange), ...commands.map(lineOfCommand)].sort((a, b) => a.atMs - b.atMs);
  const rows = lines.map(({ atMs, columns }) => [new Date(atMs).toISOString(), ...columns]);
  await session.print(tableText(session, ['time', 'at', 'given by', 'change or command', 'id'], rows));
  const hidden = records.length - shown.length;
  if (hidden > 0) await session.note(`and ${plural(hidden, 'announcement')} of nodes (--all)`);
  if (silent.length > 0) await session.note(`without the commands that ${silent.join(', ')} kept: no answer`);
  return undefined;
}

interface Line {
  readonly atMs: number;
  readonly columns: readonly string[];
}

function lineOfChange({ at, by, author, change, id }: ChangeRecord): Line {
  return { atMs: hlcToMs(at), columns: [by, author, changeText(change), id] };
}

function lineOfCommand({ firstMs, lastMs, count, at, author, command, outcome, id }: CommandRecord): Line {
  const times = count === 1 ? '' : `, ${plural(count, 'time')} until ${new Date(lastMs).toISOString()}`;
  const refused = outcome === 'done' ? '' : `, not done: ${outcome}`;
  return { atMs: firstMs, columns: [at, author, `${command}${times}${refused}`, id] };
}

export function changeText(change: Change): string {
  switch (change.kind) {
    case 'create':
      return `create ${change.cluster}: ${change.members.map(({ node }) => node).join(', ')}; ${change.partitionCount} partitions, strategy ${change.strategy}`;
    case 'join':
      return `join ${change.node}, zone ${change.zone}, weight ${change.weight}`;
    case 'leave':
    case 'left':
    case 'remove':
      return `${change.kind} ${change.node}`;
    case 'replace':
      return `replace ${change.node}${change.dead ? ', which is dead,' : ''} by ${change.by.node}, zone ${change.by.zone}, weight ${change.by.weight}`;
    case 'weight':
      return `weight ${change.node} ${change.weight}`;
    case 'zone':
      return `zone ${change.node} ${change.zone}`;
    case 'bucket': {
      const { n, r, w, resolver, durability } = change.properties;
      return `bucket ${change.bucket}: n=${n} r=${r} w=${w} ${resolver} ${durability}`;
    }
    case 'access':
      return `access: tokens ${change.tokens}, generation ${change.generation}`;
    case 'actor':
      return `actor ${change.node}: ${change.actor}`;
    case 'lost':
      return `lost ${change.node}: its store is not the one that was here, and is refilled; actor ${change.actor}`;
    case 'ready':
      return `ready ${change.node}: ${plural(change.partitions.length, 'partition')} since ${change.change}`;
  }
}
