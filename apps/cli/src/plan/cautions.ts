/**
 * What the history cannot know of a plan: whether the nodes in it run. One that is let in must; one that leaves should, since it hands over what it
 * holds; one that is removed should not.
 */
import type { Admin } from '@armature/client';
import type { MembershipChange } from '@armature/membership';

export interface Caution {
  /** Whether the plan should not be committed for it. */
  readonly forbids: boolean;
  readonly message: string;
}

export async function cautionsFor(admin: Admin, changes: readonly MembershipChange[]): Promise<Caution[]> {
  const statuses = await Promise.all(changes.map(({ node }) => admin.member(node)));
  return changes.flatMap((change, index) => cautionOf(change, statuses[index]?.status !== undefined) ?? []);
}

function cautionOf({ kind, node }: MembershipChange, answers: boolean): Caution | undefined {
  if (kind === 'join' && !answers) return { forbids: true, message: `${node} does not answer: start it before you let it in` };
  if (kind === 'leave' && !answers)
    return {
      forbids: false,
      message: `${node} does not answer: to leave in good order it has to run; if it is gone for good, remove it`,
    };
  if (kind === 'remove' && answers)
    return { forbids: false, message: `${node} answers, and would hand over what it holds if it left instead: leave:${node}` };
  return undefined;
}
