/**
 * `armature cluster join`, `leave`, `remove`, `replace`, `weight`, `zone`: explicit changes of membership (paper, section 4.8.1).
 * Each is one record in the history, given at any node and spread by gossip. The command returns when the record is made, not
 * when the data has moved: new owners copy first, and only then does ownership pass.
 */
import type { Admin } from '@armature/client';
import { parseNodeId, unwrap } from '@armature/kernel';
import type { ChangeRecord } from '@armature/protocol';
import { define, option, type Outcome } from '../command.js';
import { decimal, invalid } from '../parse.js';
import type { Session } from '../session.js';
import { plural } from '../format.js';

const MOVES =
  'What moves is copied first: until a new owner holds a partition, the old ones serve it and writes go to both.\n' +
  'See it beforehand with: armature cluster plan. Follow it with: armature cluster transfers --watch.';

export const clusterJoinCommand = define<{ zone?: string; weight?: number }>({
  details: `The node takes over its share of the ring from the others.\n${MOVES}`,
  options: [
    option('--zone <zone>', 'its failure domain: replicas are spread over zones (default: default)'),
    option('--weight <weight>', 'its capacity relative to the others, 0.01 to 100 (default: 1)', decimal('--weight')),
  ],
  examples: ['cluster join n4', 'cluster join n4 --zone west --weight 2'],
  run: async (session, [node = ''], options) => {
    await mustAnswer(session, node);
    return change(session, (admin) => admin.join(node, options), `${node} is a member; it copies its share now`);
  },
});

export const clusterLeaveCommand = define({
  details: `It serves until its successors hold its partitions; then it can be stopped. The node must be up for that.\n${MOVES}`,
  examples: ['cluster leave n4'],
  run: (session, [node = '']) =>
    change(session, (admin) => admin.leave(node), `${node} is leaving; stop it when "armature cluster status" lists it no more`),
});

export const clusterRemoveCommand = define({
  details:
    'Its partitions pass to others at once, which copy from the remaining replicas. Use it for a machine that will not come\n' +
    'back; for one that will, do nothing: a failure is no change of membership. For one that still works, use leave.\n' +
    'If it was the last holder of something, that is lost; status tells.',
  options: [option('--yes', 'no question: it is meant')],
  examples: ['cluster remove n4 --yes'],
  run: async (session, [node = ''], options: { yes?: boolean }) => {
    if (options.yes !== true) await refuseIfAlive(session, node, `Use "armature cluster leave ${node}", which loses nothing`);
    return change(session, (admin) => admin.remove(node), `${node} is removed`);
  },
});

export const clusterReplaceCommand = define<ReplaceOptions>({
  details:
    'The new node must run and be no member. The old one serves until the new one holds its partitions, then leaves; no other\n' +
    'data moves (under strategy 3). If the old one is gone for good, say so with --dead: the new one copies from the\n' +
    `remaining replicas.\n${MOVES}`,
  options: [
    option('--dead', 'the old node will not come back: ask nothing of it any more'),
    option('--yes', 'with --dead: no question, even if it answers'),
    option('--zone <zone>', 'failure domain of the new node (default: that of the old one)'),
    option('--weight <weight>', 'capacity of the new node, 0.01 to 100 (default: that of the old one)', decimal('--weight')),
  ],
  examples: ['cluster replace n2 n5', 'cluster replace n2 n5 --dead', 'cluster replace n2 n5 --zone west --weight 2'],
  run: (session, [node = '', successor = ''], options) => replace(session, node, successor, options),
});

export const clusterWeightCommand = define({
  details: `Relative to the others, 0.01 to 100; 1 is an ordinary node.\n${MOVES}`,
  examples: ['cluster weight n4 2'],
  run: (session, [node = '', text = '']) => {
    const weight = decimal('weight')(text);
    return change(session, (admin) => admin.reweigh(node, weight), `${node} has weight ${weight}`);
  },
});

export const clusterZoneCommand = define({
  details: `Replicas of a key are spread over as many zones as there are.\n${MOVES}`,
  examples: ['cluster zone n4 west'],
  run: (session, [node = '', zone = '']) => change(session, (admin) => admin.rezone(node, zone), `${node} is in zone ${zone}`),
});

async function change(session: Session, make: (admin: Admin) => Promise<ChangeRecord>, said: string): Promise<Outcome> {
  const { admin } = await session.client();
  const record = await make(admin);
  if (session.voice.json) {
    await session.printJson(record);
    return undefined;
  }
  await session.print(said);
  const view = await admin.view();
  const moving = [...view.members.keys()].map((node) => view.pendingFor(node).length).reduce((sum, count) => sum + count, 0);
  if (moving > 0) await session.note(`${plural(moving, 'copy of a partition is', 'copies of partitions are')} to be made.`);
  return undefined;
}

interface ReplaceOptions {
  readonly dead?: boolean;
  readonly yes?: boolean;
  readonly zone?: string;
  readonly weight?: number;
}

async function replace(session: Session, node: string, successor: string, options: ReplaceOptions): Promise<Outcome> {
  await mustAnswer(session, successor);
  const { dead = false, yes = false, ...settings } = options;
  if (dead && !yes) await refuseIfAlive(session, node, 'Leave out --dead: it then hands over what it holds, and nothing is lost');
  const said = dead
    ? `${node} is removed; ${successor} copies its share from the other replicas now`
    : `${successor} copies the share of ${node} now; stop ${node} when "armature cluster status" lists it no more`;
  return change(session, (admin) => admin.replace(node, successor, { dead, ...settings }), said);
}

async function mustAnswer(session: Session, name: string): Promise<void> {
  const { admin } = await session.client();
  const { problem } = await admin.member(unwrap(parseNodeId(name)));
  if (problem === undefined) return;
  throw invalid(
    `${name} does not answer, so it was not let in: ${problem.message}`,
    `Start it first, with --name ${name} --cluster ${session.settings.cluster}.`,
  );
}

/** Removing a node that works throws away a replica for nothing. */
async function refuseIfAlive(session: Session, name: string, instead: string): Promise<void> {
  const { admin } = await session.client();
  const { status } = await admin.member(unwrap(parseNodeId(name)));
  if (status === undefined) return;
  throw invalid(`${name} answers: it is not gone`, `${instead}; or add --yes to give up its copies.`);
}
