/**
 * What the history cannot know of a plan: whether the nodes in it run. One that is let in must; one that leaves should, since it
 * hands over what it holds; one that is removed should not.
 */
import type { Admin } from '@armature/client';
import type { NodeId } from '@armature/kernel';
import type { MembershipChange } from '@armature/membership';

export interface Caution {
  /** Whether the plan should not be committed for it. */
  readonly forbids: boolean;
  readonly message: string;
}

export async function cautionsFor(admin: Admin, changes: readonly MembershipChange[]): Promise<Caution[]> {
  const concerned = new Set(
    changes.flatMap((change) => (change.kind === 'replace' ? [change.node, change.by.node] : [change.node])),
  );
  const statuses = await Promise.all([...concerned].map((node) => admin.member(node)));
  const answering = new Set(statuses.filter(({ status }) => status !== undefined).map(({ node }) => node));
  return changes.flatMap((change) => cautionsOf(change, (node) => answering.has(node)));
}

function cautionsOf(change: MembershipChange, answers: (node: NodeId) => boolean): Caution[] {
  const { kind, node } = change;
  switch (kind) {
    case 'join':
      return answers(node) ? [] : [mustBeStarted(node)];
    case 'leave':
      return answers(node)
        ? []
        : [remark(`${node} does not answer: to leave in good order it has to run; if it is gone for good, remove it`)];
    case 'remove':
      return answers(node)
        ? [remark(`${node} answers, and would hand over what it holds if it left instead: leave:${node}`)]
        : [];
    case 'replace': {
      const successor = change.by.node;
      const cautions = answers(successor) ? [] : [mustBeStarted(successor)];
      if (change.dead && answers(node))
        cautions.push(
          remark(`${node} answers, and would hand over what it holds if it were not called dead: replace:${node}=${successor}`),
        );
      if (!change.dead && !answers(node))
        cautions.push(
          remark(
            `${node} does not answer: to leave in good order it has to run; if it is gone for good: replace:${node}=${successor},dead`,
          ),
        );
      return cautions;
    }
    case 'weight':
    case 'zone':
      return [];
  }
}

function mustBeStarted(node: NodeId): Caution {
  return { forbids: true, message: `${node} does not answer: start it before you let it in` };
}

function remark(message: string): Caution {
  return { forbids: false, message };
}
