import type { ClusterName, NodeId } from '@armature/kernel';
import type { Change } from '@armature/protocol';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { History } from './history.js';
import { checkProposal } from './propose.js';
import { foldHistory } from './view.js';
import { change, CLUSTER, names, node, Tale } from './records.test-support.js';

const [n1, n2, n3, n4] = names('n', 4) as [NodeId, NodeId, NodeId, NodeId];
const four = (): Tale => new Tale(change.create([n1, n2, n3, n4]));
const none = foldHistory(History.empty);

describe('proposals that make sense', () => {
  test.each<[string, Tale, Change]>([
    ['join of a stranger', four(), change.join(node('n5'))],
    ['join of a node that is leaving: called back', four().add(change.leave(n4)), change.join(n4)],
    ['leave that leaves enough nodes', four(), change.leave(n4)],
    ['remove below the replication: said explicitly', four().add(change.remove(n4)), change.remove(n3)],
    ['remove of a node that is leaving', four().add(change.leave(n4)), change.remove(n4)],
    ['another weight', four(), change.weight(n1, 2)],
    ['another zone', four(), change.zone(n1, 'west')],
    ['a new bucket', four(), change.bucket('b', { n: 2 })],
    ['other properties for a bucket', four().add(change.bucket('b')), change.bucket('b', { w: 3 })],
    ['other properties for the default bucket', four(), change.bucket('default', { r: 1 })],
    ['tokens required', four(), change.access('required', 1)],
    ['tokens required, then the next generation', four().add(change.access('required', 1)), change.access('required', 1, 1)],
    ['tokens optional again', four().add(change.access('required', 1, 4)), change.access('optional', 2, 4)],
  ])('%s: accepted', (_what, tale, proposed) => {
    expect(checkProposal(tale.view, CLUSTER, proposed)).toEqual({ ok: true, value: proposed });
  });

  test('create where there is none', () => {
    const proposed = change.create([n1]);
    expect(checkProposal(none, CLUSTER, proposed)).toEqual({ ok: true, value: proposed });
  });
});

describe('proposals that do not', () => {
  test.each<[string, Tale | undefined, Change, string, RegExp]>([
    ['anything but create before create', undefined, change.join(n1), 'no-cluster', /no cluster/],
    [
      'create of a second cluster',
      four(),
      change.create([n1], { clusterId: 'ab'.repeat(16) }),
      'invalid-argument',
      /exists already/,
    ],
    ['create under another name', undefined, change.create([n1], { cluster: 'other' as ClusterName }), 'wrong-cluster', /other/],
    [
      'create with fewer partitions than nodes',
      undefined,
      change.create([n1, n2, n3], { partitionCount: 2 }),
      'invalid-argument',
      /too few/,
    ],
    [
      'create with partitions that are no power of two',
      undefined,
      change.create([n1], { partitionCount: 12 }),
      'invalid-argument',
      /power of two/,
    ],
    ['join of a member', four(), change.join(n1), 'invalid-argument', /n1 is a member/],
    ['access that says nothing new', four(), change.access('optional', 0, 0), 'invalid-argument', /another state of access/],
    [
      'tokens without a word that they are the news',
      four(),
      change.access('required', 0, 1),
      'invalid-argument',
      /another state/,
    ],
    ['a generation beyond the next one', four(), change.access('optional', 0, 2), 'invalid-argument', /generation 0/],
    ['a revision beyond the next one', four(), change.access('required', 2), 'invalid-argument', /another state of access/],
    [
      'a generation that goes back',
      four()
        .add(change.access('optional', 0, 1))
        .add(change.access('optional', 0, 2)),
      change.access('required', 1, 1),
      'invalid-argument',
      /generation 2/,
    ],
    [
      'join beyond one node per partition',
      new Tale(change.create([n1, n2], { partitionCount: 2 })),
      change.join(n3),
      'invalid-argument',
      /room for 2/,
    ],
    ['leave of a stranger', four(), change.leave(node('x')), 'invalid-argument', /x is not a member/],
    ['leave twice', four().add(change.leave(n4)), change.leave(n4), 'invalid-argument', /leaving already/],
    [
      'leave below the largest N',
      four().add(change.remove(n4)),
      change.leave(n3),
      'invalid-argument',
      /2 nodes for buckets of 3/,
    ],
    [
      'leave below the N of one bucket',
      four().add(change.bucket('b', { n: 4 })),
      change.leave(n4),
      'invalid-argument',
      /buckets of 4/,
    ],
    ['remove of a stranger', four(), change.remove(node('x')), 'invalid-argument', /not a member/],
    ['remove of the last node', new Tale(change.create([n1])), change.remove(n1), 'invalid-argument', /last node/],
    ['weight of a stranger', four(), change.weight(node('x'), 2), 'invalid-argument', /not a member/],
    ['weight of a node that is leaving', four().add(change.leave(n4)), change.weight(n4, 2), 'invalid-argument', /leaving/],
    ['the weight it has', four(), change.weight(n1, 1), 'invalid-argument', /already/],
    ['the zone it has', four(), change.zone(n1, 'z'), 'invalid-argument', /already/],
    ['a weight that is none', four(), change.weight(n1, -1), 'invalid-argument', /weight/],
    [
      'another N for a bucket',
      four().add(change.bucket('b')),
      change.bucket('b', { n: 2, w: 1 }),
      'invalid-argument',
      /n=3.*fixed/,
    ],
    ['another N for the default bucket', four(), change.bucket('default', { n: 1, r: 1, w: 1 }), 'invalid-argument', /fixed/],
    ['bucket properties that contradict one another', four(), change.bucket('b', { n: 2, w: 3 }), 'invalid-argument', /w is 3/],
    ['replace of a stranger', four(), change.replace(node('x'), node('y')), 'invalid-argument', /x is not a member/],
    ['replace by itself', four(), change.replace(n4, n4), 'invalid-argument', /cannot replace itself/],
    ['replace by a member', four(), change.replace(n4, n3), 'invalid-argument', /n3 is a member already/],
    [
      'replace of a node that is leaving',
      four().add(change.leave(n4)),
      change.replace(n4, node('x')),
      'invalid-argument',
      /leaving already/,
    ],
    ['left, from an administrator', four(), change.left(n4), 'invalid-argument', /only a node itself/],
    ['actor, from an administrator', four(), change.actor(n4, 'aa'.repeat(8)), 'invalid-argument', /only a node itself/],
    ['lost, from an administrator', four(), change.lost(n4, 'aa'.repeat(8)), 'invalid-argument', /only a node itself/],
    ['ready, from an administrator', four(), change.ready(n1, '0'.repeat(16), [1]), 'invalid-argument', /only a node itself/],
  ])('%s: refused, with a remedy', (_what, tale, proposed, code, message) => {
    const verdict = checkProposal(tale?.view ?? none, CLUSTER, proposed);
    expect(verdict.ok).toBe(false);
    if (verdict.ok) return;
    expect(verdict.error.code).toBe(code);
    expect(verdict.error.message).toMatch(message);
    if (!/weight must|w is 3|power of two/.test(verdict.error.message)) expect(verdict.error.remedy).toBeTruthy();
  });
});

describe('proposals and the fold agree', () => {
  test('an accepted change of the ring has an effect', () => {
    const who = fc.constantFrom(...names('n', 6));
    const proposal = fc.oneof(
      who.map((one) => change.join(one)),
      who.map((one) => change.leave(one)),
      who.map((one) => change.remove(one)),
      fc.tuple(who, who, fc.boolean()).map(([one, by, dead]) => change.replace(one, by, dead)),
      fc.tuple(who, fc.constantFrom(0.5, 1, 2)).map(([one, weight]) => change.weight(one, weight)),
      fc.tuple(who, fc.constantFrom('z', 'y')).map(([one, name]) => change.zone(one, name)),
    );
    fc.assert(
      fc.property(fc.array(proposal, { maxLength: 12 }), (proposals) => {
        const tale = four();
        for (const proposed of proposals) {
          if (!checkProposal(tale.view, CLUSTER, proposed).ok) continue;
          const before = [...tale.view.members.values()];
          tale.add(proposed);
          expect([...tale.view.members.values()]).not.toEqual(before);
        }
      }),
    );
  });
});
