import { type ClusterName, type NodeId } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeId } from './arbitraries.test-support.js';
import { countRole, type Receipt } from './receipt.js';
import { DEFAULT_PREFIX, nodeAddress, nodeOfAddress, subjectsOf } from './subjects.js';

describe('receipts', () => {
  const receipt: Receipt = {
    coordinator: 'a' as NodeId,
    replicas: [
      { node: 'a' as NodeId, role: 'primary', outcome: 'durable' },
      { node: 'b' as NodeId, role: 'primary', outcome: 'ok' },
      { node: 'c' as NodeId, role: 'primary', outcome: 'timeout' },
      { node: 'd' as NodeId, role: 'fallback', outcome: 'ok' },
      { node: 'e' as NodeId, role: 'pending', outcome: 'waiting' },
    ],
  };

  test('only replicas that took part count for their role', () => {
    expect(countRole(receipt, 'primary')).toBe(2);
    expect(countRole(receipt, 'fallback')).toBe(1);
    expect(countRole(receipt, 'pending')).toBe(0);
  });
});

describe('subjects', () => {
  test('everything of a cluster is under its prefix and name', () => {
    const subjects = subjectsOf(DEFAULT_PREFIX, 'shop' as ClusterName);
    expect([subjects.announce, subjects.discover('node'), subjects.discover('router'), subjects.api('get.>')]).toEqual([
      'armature.shop.announce',
      'armature.shop.discover.node',
      'armature.shop.discover.router',
      'armature.shop.api.get.>',
    ]);
  });

  test('a node address leads back to its node; others to none', () => {
    fc.assert(
      fc.property(nodeId, (node) => {
        expect(nodeOfAddress(nodeAddress(node))).toBe(node);
      }),
    );
    expect(nodeOfAddress('router.r1')).toBeUndefined();
    expect(nodeOfAddress('client.ab12')).toBeUndefined();
  });
});
