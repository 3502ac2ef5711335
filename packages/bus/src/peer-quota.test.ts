import { expect, test } from 'vitest';
import { NONCE_LIFE_MS } from './greeter.js';
import { groupOf, PeerQuota, type QuotaMember } from './peer-quota.js';

const LATER_MS = NONCE_LIFE_MS * 10;

/** A quota with peers by name. */
class Bench {
  readonly there = new Map<string, QuotaMember & { standing: QuotaMember['standing'] }>();
  readonly quota: PeerQuota;

  constructor(peers: number, peersPerGroup: number) {
    this.quota = new PeerQuota({ peers, peersPerGroup });
  }

  /** Whether there was room for it. */
  come(address: string, heardMs = 0, { standing = 'idle', metMs = 0 }: Partial<QuotaMember> = {}, nowMs = LATER_MS): boolean {
    const group = this.quota.groupOf(address);
    if (!this.quota.hasRoom(group, nowMs)) return false;
    const forget = (): void => {
      this.quota.remove(member);
      this.there.delete(address);
    };
    const member = { group, metMs, heardMs, standing, forget };
    this.quota.add(member);
    this.there.set(address, member);
    return true;
  }

  names(): string[] {
    return [...this.there.keys()].sort();
  }
}

test('the group of an address is its role, and the name of the group where there is one', () => {
  expect(['node.n1', 'guest.k3j9', 'guest.shop.k3j9', 'x'].map(groupOf)).toEqual(['node', 'guest', 'guest.shop', 'x']);
});

test('a group that has its share makes room among its own, however much it asks for', () => {
  const bench = new Bench(100, 10);
  for (let i = 0; i < 10; i++) bench.come(`guest.shop.h${i}`, i);
  for (let i = 0; i < 1_000; i++) bench.come(`guest.evil.m${i}`, 100 + i);
  expect(bench.names().filter((name) => name.startsWith('guest.shop.'))).toHaveLength(10);
  expect(bench.names().length).toBeLessThanOrEqual(20);
});

test('those that were silent the longest go first, then those with a part of a message; those in whose name something is under way stay', () => {
  const bench = new Bench(4, 4);
  bench.come('guest.a', 30, { standing: 'busy' });
  bench.come('guest.b', 10, { standing: 'incomplete' });
  bench.come('guest.c', 20);
  bench.come('guest.d', 15);
  expect(bench.come('guest.e', 40, { standing: 'busy' })).toBe(true);
  expect(bench.names()).toEqual(['guest.a', 'guest.b', 'guest.c', 'guest.e']);
  expect(bench.come('guest.f', 50, { standing: 'busy' })).toBe(true);
  expect(bench.names()).toEqual(['guest.a', 'guest.b', 'guest.e', 'guest.f']);
  expect(bench.come('guest.g', 60, { standing: 'busy' })).toBe(true);
  expect(bench.names()).toEqual(['guest.a', 'guest.e', 'guest.f', 'guest.g']);
  expect(bench.come('guest.h', 70)).toBe(false);
  expect(bench.come('node.n1', 70)).toBe(false);
});

test('nobody is forgotten while the nonce by which it was taken up may still be named', () => {
  const bench = new Bench(1, 1);
  bench.come('guest.a', 0, { metMs: LATER_MS });
  expect(bench.come('guest.b', 0, {}, LATER_MS + NONCE_LIFE_MS)).toBe(false);
  expect(bench.come('guest.b', 0, {}, LATER_MS + NONCE_LIFE_MS + 1)).toBe(true);
});

test('a group of which nobody is left is forgotten, and one that is there is one object for all of its peers', () => {
  const quota = new PeerQuota({ peers: 10, peersPerGroup: 10 });
  const group = quota.groupOf('guest.shop.a');
  const member: QuotaMember = { group, metMs: 0, heardMs: 0, standing: 'idle', forget: () => undefined };
  quota.add(member);
  expect(quota.groupOf('guest.shop.b')).toBe(group);
  quota.remove(member);
  quota.remove(member);
  expect(group.peers).toBe(0);
  expect(quota.groupOf('guest.shop.b')).not.toBe(group);
});
