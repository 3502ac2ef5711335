/** `armature ping`: does the cluster answer, and how fast. One small question to every member, or to one node, over the bus. */
import { parseNodeId, unwrap } from '@armature/kernel';
import { EXIT } from '@armature/process';
import { define, option, type Outcome } from '../command.js';
import { tableText } from '../format.js';
import { integerBetween } from '../parse.js';
import type { Session } from '../session.js';

interface PingOptions {
  readonly count: number;
}

interface Pinged {
  readonly node: string;
  readonly answers: number;
  readonly minMs: number | undefined;
  readonly maxMs: number | undefined;
  readonly problem: string | undefined;
}

export const pingCommand = define<PingOptions>({
  details: 'The time is that of a status request and its answer over the bus. Exit code 3: at least one did not answer.',
  options: [option('-c, --count <count>', 'times to ask', integerBetween('--count', 1, 1_000)).default(3)],
  examples: ['ping', 'ping n1 -c 10'],
  run: (session, [node], { count }) => ping(session, node, count),
});

async function ping(session: Session, only: string | undefined, count: number): Promise<Outcome> {
  const { admin } = await session.client();
  const { clock } = session.io;
  const nodes = only === undefined ? [...(await admin.view()).members.keys()].sort() : [unwrap(parseNodeId(only))];
  const pinged = await Promise.all(
    nodes.map(async (node): Promise<Pinged> => {
      const timesMs: number[] = [];
      let problem: string | undefined;
      for (let i = 0; i < count && problem === undefined; i++) {
        const startMs = clock.monotonicMs();
        problem = (await admin.member(node)).problem?.message;
        if (problem === undefined) timesMs.push(clock.monotonicMs() - startMs);
      }
      const some = timesMs.length > 0;
      return {
        node,
        answers: timesMs.length,
        minMs: some ? Math.min(...timesMs) : undefined,
        maxMs: some ? Math.max(...timesMs) : undefined,
        problem,
      };
    }),
  );
  const { colors } = session;
  const ms = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(1));
  if (session.voice.json) await session.printJson(pinged);
  else if (pinged.length === 0) await session.note('the cluster has not been created yet: nobody to ask');
  else {
    const rows = pinged.map(({ node, answers, minMs, maxMs, problem }) => [
      node,
      `${answers}/${count}`,
      ms(minMs),
      ms(maxMs),
      problem === undefined ? '' : colors.red(problem),
    ]);
    await session.print(tableText(session, ['node', 'answers', 'min ms', 'max ms', ''], rows));
  }
  return pinged.length === 0 || pinged.some(({ problem }) => problem !== undefined) ? EXIT.unavailable : undefined;
}
