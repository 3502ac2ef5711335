/**
 * `armature cluster plan`: what changes of membership would do, before they are made (paper, section 4.9): which copies have to
 * be made, how much that is, how the load lies then, and what is amiss. It changes nothing.
 */
import { writeFileSync } from 'node:fs';
import { ArmatureError } from '@armature/kernel';
import { define, option, type Outcome } from '../command.js';
import { decimal } from '../parse.js';
import { cautionsFor } from '../plan/cautions.js';
import { CHANGE_GRAMMAR, completeChanges, parseChanges, type WrittenChange } from '../plan/change-words.js';
import { planDocument } from '../plan/plan-document.js';
import { planText } from '../plan/plan-text.js';
import type { Session } from '../session.js';

interface PlanOptions {
  readonly zone?: string;
  readonly weight?: number;
  readonly dead?: boolean;
  readonly out?: string;
}

export const clusterPlanCommand = define<PlanOptions>({
  details:
    'One change or several, in their order, each like the command that makes it, or as one word:\n' +
    `${CHANGE_GRAMMAR}\n\n` +
    'Shows who would copy how much from whom, the balance before and after, and what to think of first. Figures with ≈ are\n' +
    'estimated; figures of several changes are of all of them together. Make it so with: armature cluster commit.',
  options: [
    option('--zone <zone>', 'zone of the one node that joins or replaces another (default: default, or that of the other)'),
    option(
      '--weight <weight>',
      'weight of the one node that joins or replaces another (default: 1, or that of the other)',
      decimal('--weight'),
    ),
    option('--dead', 'the one node that is replaced will not come back'),
    option('--out <file>', 'write the plan there, for "armature cluster commit"'),
  ],
  examples: [
    'cluster plan join n4',
    'cluster plan join n4 --zone west --weight 2 --out plan.json',
    'cluster plan join n4 join n5 leave n1',
    'cluster plan replace n2 n5',
    'cluster plan replace:n2=n5,dead leave:n1 join:n6',
    'cluster plan join:n4,zone=b,weight=2 leave:n1 weight:n2=2 --out plan.json',
    'armature cluster plan leave n4 --json | armature cluster commit -',
  ],
  run: (session, words, { out, ...arrival }) =>
    plan(
      session,
      parseChanges(
        words.filter((word) => word !== undefined),
        arrival,
      ),
      out,
    ),
});

async function plan(session: Session, written: readonly WrittenChange[], file: string | undefined): Promise<Outcome> {
  const { admin } = await session.client();
  const changes = completeChanges(written, (await admin.view()).members);
  const made = await admin.plan(changes);
  const document = planDocument(made, session.io.clock.nowMs());
  if (file !== undefined) writePlan(file, JSON.stringify(document, undefined, 2));
  if (session.voice.json) await session.printJson(document);
  else await session.print(planText(session, made));
  for (const { message } of await cautionsFor(admin, changes)) await session.note(`! ${message}`);
  await session.note(
    file === undefined
      ? 'Nothing was changed. --out <file> keeps the plan.'
      : `Make it so: armature cluster commit ${file} --wait`,
  );
  return undefined;
}

function writePlan(file: string, text: string): void {
  try {
    writeFileSync(file, `${text}\n`);
  } catch (thrown) {
    throw new ArmatureError('invalid-argument', `cannot write ${file}: ${(thrown as Error).message}`, {
      remedy: 'Choose another place, or make room.',
      cause: thrown,
    });
  }
}
