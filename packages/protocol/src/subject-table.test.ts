import type { ClusterName } from '@armature/kernel';
import { describe, expect, test } from 'vitest';
import { natsPattern, permissionsOf, tokensOf } from './permissions.js';
import { SUBJECT_TABLE, type BusRole, type Party, type SubjectRow } from './subject-table.js';
import { subjectsOf, type Subjects } from './subjects.js';

const SPACE = { prefix: 'armature', cluster: 'prod' as ClusterName };
const below = (start: string): readonly SubjectRow[] => SUBJECT_TABLE.filter(({ pattern }) => pattern.startsWith(start));
const partiesAt = (parties: readonly Party[], at: Party['at']): readonly BusRole[] =>
  parties.filter((party) => party.at === at).map(({ role }) => role);

describe('the table of subjects', () => {
  test('has each pattern once, made of tokens and of names in angle brackets, with "..." at the end only', () => {
    const patterns = SUBJECT_TABLE.map(({ pattern }) => pattern);
    expect(new Set(patterns).size).toBe(patterns.length);
    for (const pattern of patterns) {
      expect(tokensOf(pattern).join('.')).toBe(pattern);
      expect(pattern).toMatch(/^(\$SRV|[a-z]+)(\.([a-zA-Z-]+|<[a-z ]+>))*(\.<[a-z ]+\.\.\.>)?$/);
    }
  });

  test('lets everybody hear only his own frames, refusals, answers and questions about his status', () => {
    for (const { pattern, subscribe } of ['link.', 'refused.', 'inbox.', 'status.', 'presence.'].flatMap(below))
      expect([pattern, partiesAt(subscribe, 'any')]).toEqual([pattern, []]);
  });

  test('lets nobody without the secret speak to what is for holders of it', () => {
    const outsiders: readonly BusRole[] = [
      'administrator',
      'application',
      'application-at-nodes',
      'plain',
      'plain-by-header',
      'monitor',
    ];
    const open = SUBJECT_TABLE.filter(({ publish }) => publish.some(({ role }) => outsiders.includes(role)));
    expect(open.map(({ pattern }) => pattern)).toEqual([
      'link.front.<bucket>.<right>.router.<router>',
      'link.front.<bucket>.<right>.node.<node>',
      'link.admin.node.<node>',
      'link.admin.router.<router>',
      'link.admin.anti-entropy.<worker>',
      'discover.node',
      'discover.router',
      'discover.newcomer',
      'status.node.<node>',
      'status.router.<router>',
      'status.anti-entropy.<worker>',
      'workers',
      '$SRV.PING',
      '$SRV.INFO',
      '$SRV.STATS',
      '$SRV.<question>.<service>',
      '$SRV.<question>.<service>.<instance>',
      'api.<verb>',
      'api.<verb>.<bucket>',
      'api.<verb>.<bucket>.<key...>',
    ]);
  });

  test('lets applications speak of their own buckets only, at the front door and on the plain API', () => {
    for (const { pattern, publish } of [...below('link.front.'), ...below('api.')])
      expect([pattern, partiesAt(publish, 'any')]).toEqual([pattern, []]);
  });

  test('lets a process claim its own name only', () => {
    for (const { publish } of below('presence.')) expect(partiesAt(publish, 'any')).toEqual([]);
  });

  test('gives what is said of a frame, and answers, to nodes, routers and workers to say', () => {
    for (const { publish } of ['refused.', 'inbox.'].flatMap(below))
      for (const { role } of publish) expect(['node', 'router', 'worker']).toContain(role);
  });
});

describe('subjects that are made', () => {
  /** Of everything that makes subjects: one that is not here does not compile. */
  const { announce, discover, workers, fronts, admin, inbox, presence, presenceOf, status, api } = subjectsOf(
    'armature',
    SPACE.cluster,
  );
  const made: Readonly<Record<keyof Subjects, readonly string[]>> = {
    announce: [announce],
    discover: (['node', 'router', 'newcomer'] as const).map(discover),
    workers: [workers],
    fronts: ['node.n1', 'router.r1'].map(fronts),
    admin: ['node.n1', 'router.r1', 'anti-entropy.a1'].map(admin),
    inbox: [
      'node.n1',
      'router.r1',
      'anti-entropy.a1',
      'client.x',
      'client.shop.x',
      'guest.x',
      'guest.shop.x',
      'plain.u',
      'monitor.u',
    ].map((address) => `${inbox(address)}.1`),
    presence: [presence],
    presenceOf: ['node.n1', 'router.r1', 'anti-entropy.a1'].map(presenceOf),
    status: ['node.n1', 'router.r1', 'anti-entropy.a1'].map(status),
    api: ['get', 'put.payments', 'delete.payments.a.b'].map(api),
  };

  /** What links make of their addresses, and NATS of the names of services. */
  const elsewhere = /^(\$SRV|refused|link\.(?!front|admin))/;

  test('each is in the table', () => {
    const strange = Object.values(made)
      .flat()
      .filter((subject) => !SUBJECT_TABLE.some((row) => covers(row, subject)));
    expect(strange).toEqual([]);
  });

  test('each row of the table is made', () => {
    const rows = SUBJECT_TABLE.filter(({ pattern }) => !elsewhere.test(pattern));
    const subjects = Object.values(made).flat();
    expect(rows.filter((row) => !subjects.some((subject) => covers(row, subject)))).toEqual([]);
  });

  function covers({ pattern }: SubjectRow, subject: string): boolean {
    const tokens = natsPattern(pattern, {}).split('.');
    const own = subject.split('.').slice(2);
    if (tokens.at(-1) === '>')
      return own.length >= tokens.length && tokens.slice(0, -1).every((token, i) => token === '*' || token === own[i]);
    return own.length === tokens.length && tokens.every((token, i) => token === '*' || token === own[i]);
  }
});

describe('permissions', () => {
  test('natsPattern: names are put in, the others become *, and what stands for many tokens becomes >', () => {
    expect(natsPattern('api.<verb>.<bucket>.<key...>', { bucket: 'payments' })).toBe('api.*.payments.>');
    expect(natsPattern('refused.node.<node>.<peer and number...>', { node: 'n1' })).toBe('refused.node.n1.>');
    expect(natsPattern('announce', { node: 'n1' })).toBe('announce');
  });

  test('of an application: its buckets and rights, its group, and how to find a router', () => {
    const names = [
      { group: 'shop', bucket: 'payments', right: 'read' },
      { group: 'shop', bucket: 'carts' },
    ];
    expect(permissionsOf(SPACE, [{ role: 'application', names }])).toEqual({
      publish: [
        'armature.prod.link.front.payments.read.router.*',
        'armature.prod.link.front.carts.*.router.*',
        'armature.prod.discover.router',
      ],
      subscribe: [
        'armature.prod.link.guest.shop.*',
        'armature.prod.refused.guest.shop.*.>',
        'armature.prod.inbox.guest.shop.*.*',
      ],
    });
  });

  test('of two roles: what either needs, once', () => {
    const shop = { role: 'application', names: [{ group: 'shop', bucket: 'payments', right: 'read' }] } as const;
    const both = permissionsOf(SPACE, [shop, { ...shop, role: 'application-at-nodes' }]);
    expect(both.publish).toContain('armature.prod.link.front.payments.read.node.*');
    expect(new Set(both.publish).size).toBe(both.publish.length);
    expect(both.subscribe).toEqual(permissionsOf(SPACE, [shop]).subscribe);
  });

  test('what a role may use as a whole is one pattern, and nothing beside it is in it', () => {
    const { publish } = permissionsOf(SPACE, [{ role: 'router', names: [{ router: 'r1' }] }]);
    expect(publish.filter((pattern) => pattern.endsWith('>'))).toEqual([
      'armature.prod.link.guest.>',
      'armature.prod.refused.>',
      'armature.prod.inbox.>',
    ]);
    for (const start of ['link.guest.', 'refused.', 'inbox.'])
      for (const row of below(start)) expect(partiesAt(row.publish, 'any')).toContain('router');
  });
});
