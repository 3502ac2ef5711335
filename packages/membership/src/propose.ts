/**
 * Whether an administrator's command makes sense, asked of the view of the node at which it was given. A change once in the
 * history is there for ever, so what is refused here is refused with what to do instead.
 *
 * This is courtesy, not safety: another node may accept the opposite at the same moment, and the fold makes something of
 * any history. It protects people from slips, of which the worst is to shrink a cluster below its replication.
 */
import { ArmatureError, err, ok, type ClusterName, type NodeId, type Result } from '@armature/kernel';
import { BUCKET_PROPERTY_NAMES, MAX_MEMBERS, parseChange, type Change } from '@armature/protocol';
import type { Member } from './fold.js';
import type { View } from './view.js';

type Verdict = Result<Change, ArmatureError>;

/** The change as it will be recorded, or why not: `invalid-argument`, `no-cluster`, `wrong-cluster`. */
export function checkProposal(view: View, clusterName: ClusterName, proposed: Change): Verdict {
  const parsed = parseChange(proposed);
  if (!parsed.ok) return parsed;
  const change = parsed.value;
  if (change.kind === 'create') return checkCreate(view, clusterName, change);
  if (view.cluster === undefined) {
    return refuse('no-cluster', `there is no cluster ${clusterName} yet`, 'Create it first: armature cluster create.');
  }
  switch (change.kind) {
    case 'join':
      return checkJoin(view, change);
    case 'leave':
      return checkLeave(view, change);
    case 'remove':
      return checkRemove(view, change);
    case 'replace':
      return checkReplace(view, change);
    case 'weight':
    case 'zone':
      return checkSetting(view, change);
    case 'bucket':
      return checkBucket(view, change);
    case 'access':
      return checkAccess(view, change);
    case 'left':
      return refuse(
        'invalid-argument',
        'only a node itself can state that it has left',
        `Wait: ${change.node} states it when nothing is left on it. If it is gone for good: armature cluster remove ${change.node}.`,
        change.node,
      );
    case 'actor':
    case 'lost':
      return refuse(
        'invalid-argument',
        'only a node itself can state what its store is',
        'Nothing needs to be done: a node whose store was lost notices by itself, and is refilled.',
        change.node,
      );
    case 'ready':
      return refuse(
        'invalid-argument',
        'only a node itself can state that it is ready',
        'Wait: nodes announce it when they hold their partitions.',
      );
  }
}

function checkCreate(view: View, clusterName: ClusterName, change: Extract<Change, { kind: 'create' }>): Verdict {
  const { cluster } = view;
  if (cluster !== undefined) {
    return refuse(
      'invalid-argument',
      `cluster ${cluster.name} exists already (id ${cluster.id})`,
      'Join nodes to it: armature cluster join <node>.',
    );
  }
  if (change.cluster !== clusterName) {
    return refuse(
      'wrong-cluster',
      `this node is configured for cluster ${clusterName}, not ${change.cluster}`,
      `Create ${clusterName}, or configure the node.`,
    );
  }
  if (change.partitionCount < change.members.length) {
    return refuse(
      'invalid-argument',
      `${change.partitionCount} partitions are too few for ${change.members.length} nodes: some would own nothing`,
      'Use at least one partition per node; 64 per node of the largest cluster it may become is a good choice, for Q stays for ever.',
    );
  }
  return ok(change);
}

function checkJoin(view: View, change: Extract<Change, { kind: 'join' }>): Verdict {
  if (view.members.get(change.node)?.state === 'member') {
    return refuse(
      'invalid-argument',
      `node ${change.node} is a member already`,
      'Change it with armature cluster weight or armature cluster zone.',
      change.node,
    );
  }
  const size = activeMembers(view).length + 1;
  const limit = Math.min(MAX_MEMBERS, view.cluster?.partitionCount ?? 0);
  if (size > limit) {
    return refuse(
      'invalid-argument',
      `a cluster of ${view.cluster?.partitionCount ?? 0} partitions has room for ${limit} nodes`,
      'Move to a cluster with more partitions.',
    );
  }
  return ok(change);
}

/**
 * Leaving hands over, so the remaining nodes must be able to hold as many replicas as the largest N of any bucket; otherwise
 * replicas would be given up in good order, silently. Who wants that says so with `remove`.
 */
function checkLeave(view: View, change: Extract<Change, { kind: 'leave' }>): Verdict {
  const member = view.members.get(change.node);
  if (member === undefined) return stranger(view, change.node);
  if (member.state === 'leaving')
    return refuse('invalid-argument', `node ${change.node} is leaving already`, 'Wait for the transfers to finish.', change.node);
  const remaining = activeMembers(view).length - 1;
  const largestN = view.ns.at(-1) ?? 0;
  if (remaining < largestN) {
    return refuse(
      'invalid-argument',
      `without ${change.node} there would be ${remaining} nodes for buckets of ${largestN} replicas`,
      `Join another node first. To give up a replica of everything nonetheless: armature cluster remove ${change.node}.`,
      change.node,
    );
  }
  return ok(change);
}

function checkRemove(view: View, change: Extract<Change, { kind: 'remove' }>): Verdict {
  const member = view.members.get(change.node);
  if (member === undefined) return stranger(view, change.node);
  if (member.state === 'member' && activeMembers(view).length === 1) {
    return refuse(
      'invalid-argument',
      `${change.node} is the last node of the cluster`,
      'To end the cluster, stop the node and delete its data.',
      change.node,
    );
  }
  return ok(change);
}

function checkReplace(view: View, change: Extract<Change, { kind: 'replace' }>): Verdict {
  const { node } = change;
  const successor = change.by.node;
  const member = view.members.get(node);
  if (member === undefined) return stranger(view, node);
  if (successor === node) {
    return refuse(
      'invalid-argument',
      `${node} cannot replace itself`,
      'A node whose disk was lost is refilled by itself: start it with an empty data directory.',
      node,
    );
  }
  if (view.members.has(successor)) {
    return refuse(
      'invalid-argument',
      `node ${successor} is a member already, with a share of its own`,
      `Start a new node to take over, or let ${node} go: armature cluster leave ${node}.`,
      successor,
    );
  }
  if (member.state === 'leaving') {
    return refuse(
      'invalid-argument',
      `node ${node} is leaving already, and its share is on its way to the others`,
      `Join the new node: armature cluster join ${successor}. Or call ${node} back first: armature cluster join ${node}.`,
      node,
    );
  }
  return ok(change);
}

function checkSetting(view: View, change: Extract<Change, { kind: 'weight' | 'zone' }>): Verdict {
  const member = view.members.get(change.node);
  if (member === undefined) return stranger(view, change.node);
  if (member.state === 'leaving') {
    return refuse(
      'invalid-argument',
      `node ${change.node} is leaving and has no share of the ring to change`,
      `Call it back first: armature cluster join ${change.node}.`,
      change.node,
    );
  }
  const same = change.kind === 'weight' ? member.weight === change.weight : member.zone === change.zone;
  if (same)
    return refuse(
      'invalid-argument',
      `the ${change.kind} of ${change.node} is that already`,
      'Nothing needs to be done.',
      change.node,
    );
  return ok(change);
}

function checkBucket(view: View, change: Extract<Change, { kind: 'bucket' }>): Verdict {
  const existing = view.buckets.get(change.bucket);
  if (existing !== undefined && existing.n !== change.properties.n) {
    return refuse(
      'invalid-argument',
      `bucket ${change.bucket} has n=${existing.n}, and n is fixed when a bucket is created`,
      `Create another bucket with n=${change.properties.n} and copy the keys.`,
    );
  }
  return ok(change);
}

/** Counters go up by one each time: one that was raised far, by mistake or on purpose, could be raised by nobody after that. */
function checkAccess({ access }: View, change: Extract<Change, { kind: 'access' }>): Verdict {
  const { tokens, revision, generation } = change;
  const isNext = (value: number, known: number): boolean => value === known || value === known + 1;
  const isNews = revision > access.revision || generation > access.generation;
  const saysTheSame = revision > access.revision || tokens === access.tokens;
  if (isNext(revision, access.revision) && isNext(generation, access.generation) && isNews && saysTheSame) return ok(change);
  return refuse(
    'invalid-argument',
    `the command was made for another state of access than the present one (tokens ${access.tokens}, generation ${access.generation})`,
    'Somebody else has changed it meanwhile: look at it (armature cluster access), and give the command again.',
  );
}

/**
 * Whether what was recorded is what holds, once the members have been heard that answer. Two commands for one bucket may be given
 * at the same moment at two nodes, which both accept them; the order of the history decides, and only one of the two may be told
 * that it has succeeded.
 */
export function checkStillHolds(view: View, change: Change): Verdict {
  if (change.kind === 'access') return checkAccessHolds(view, change);
  if (change.kind !== 'bucket') return ok(change);
  const held = view.buckets.get(change.bucket);
  const other = BUCKET_PROPERTY_NAMES.filter((name) => held?.[name] !== change.properties[name]);
  if (held === undefined || other.length === 0) return ok(change);
  return refuse(
    'invalid-argument',
    `another command for bucket ${change.bucket} was given at the same time, and holds: ${other.map((name) => `${name}=${held[name]}`).join(', ')}`,
    'Look at what holds (armature bucket show), and change it if that is wanted (armature bucket update).',
  );
}

/** Of two commands about tokens that know nothing of each other, the stricter one holds. */
function checkAccessHolds({ access }: View, change: Extract<Change, { kind: 'access' }>): Verdict {
  if (access.revision > change.revision || access.tokens === change.tokens) return ok(change);
  return refuse(
    'invalid-argument',
    `another command about tokens was given at the same time, and holds: tokens are ${access.tokens}`,
    'Look at what holds (armature cluster access), and give the command again if it is still wanted.',
  );
}

function activeMembers(view: View): Member[] {
  return [...view.members.values()].filter((member) => member.state === 'member');
}

function stranger(view: View, node: NodeId): Verdict {
  const names = [...view.members.keys()].sort().slice(0, 10).join(', ');
  return refuse(
    'invalid-argument',
    `node ${node} is not a member of the cluster`,
    `Members are: ${names}${view.members.size > 10 ? ', ...' : ''}.`,
    node,
  );
}

function refuse(
  code: 'invalid-argument' | 'no-cluster' | 'wrong-cluster',
  message: string,
  remedy: string,
  node?: NodeId,
): Result<never, ArmatureError> {
  return err(new ArmatureError(code, message, { remedy, details: node === undefined ? {} : { node } }));
}
