/**
 * Every subject of a cluster: who publishes there, who subscribes, and what for. This is the one list of them. The permissions
 * that `armature nats-config` writes are made of it (permissions.ts), and so is the table in docs/protocol.md.
 *
 * A pattern is what follows `<prefix>.<cluster>.`, or begins with `$SRV`, where NATS has its service discovery. `<name>` in it
 * stands for one token, `<name...>` for all that follow.
 *
 * Some may use all subjects of a pattern (`any`), others only those with their own names in them (`own`). A node publishes to the
 * link of any node, `link.node.*`, and listens at its own, `link.node.n1`. What somebody's own names are, is said where his
 * permissions are made.
 */

/** What a user of NATS is there for. Somebody may be several of these. */
export const BUS_ROLES = [
  'node',
  'router',
  'worker',
  'administrator',
  'direct',
  'application',
  'application-at-nodes',
  'plain',
  'plain-by-header',
  'monitor',
] as const;
export type BusRole = (typeof BUS_ROLES)[number];

export interface Party {
  readonly role: BusRole;
  readonly at: 'own' | 'any';
}

export interface SubjectRow {
  readonly pattern: string;
  readonly publish: readonly Party[];
  readonly subscribe: readonly Party[];
  /** For the table in docs/protocol.md. */
  readonly purpose: string;
}

/** The group of all anti-entropy workers: the name in the subjects at which they hear answers. */
export const WORKER_GROUP = 'anti-entropy';

const own = (...roles: readonly BusRole[]): readonly Party[] => roles.map((role) => ({ role, at: 'own' }));
const any = (...roles: readonly BusRole[]): readonly Party[] => roles.map((role) => ({ role, at: 'any' }));

const PROCESSES = ['node', 'router', 'worker'] as const;
/** Those who hold the cluster's secret, and are clients of nodes. */
const TRUSTED_CLIENTS = ['worker', 'direct'] as const;

const LINKS: readonly SubjectRow[] = [
  {
    pattern: 'link.node.<node>',
    publish: any('node', 'router', ...TRUSTED_CLIENTS),
    subscribe: own('node'),
    purpose: 'frames of holders of the secret for a node',
  },
  {
    pattern: 'link.router.<router>',
    publish: any('node'),
    subscribe: own('router'),
    purpose: 'frames of holders of the secret for a router',
  },
  {
    pattern: 'link.client.<random>',
    publish: any('node'),
    subscribe: [],
    purpose: 'frames for a client that holds the secret and has no group',
  },
  {
    pattern: 'link.client.<group>.<random>',
    publish: any('node'),
    subscribe: own(...TRUSTED_CLIENTS),
    purpose: 'frames for a client that holds the secret; the group of workers is `anti-entropy`',
  },
  {
    pattern: 'link.front.<bucket>.<right>.router.<router>',
    publish: own('application'),
    subscribe: own('router'),
    purpose: 'the front door of a router: frames of applications',
  },
  {
    pattern: 'link.front.<bucket>.<right>.node.<node>',
    publish: own('application-at-nodes'),
    subscribe: own('node'),
    purpose: 'the front door of a node: frames of applications',
  },
  {
    pattern: 'link.admin.node.<node>',
    publish: any('administrator'),
    subscribe: own('node'),
    purpose: 'the door of administration of a node: frames of who has a token with a role, or the secret',
  },
  {
    pattern: 'link.admin.router.<router>',
    publish: any('administrator'),
    subscribe: own('router'),
    purpose: 'the door of administration of a router',
  },
  {
    pattern: 'link.admin.anti-entropy.<worker>',
    publish: any('administrator'),
    subscribe: own('worker'),
    purpose: 'the door of administration of a worker',
  },
  {
    pattern: 'link.guest.<random>',
    publish: any(...PROCESSES),
    subscribe: [],
    purpose: 'frames for an application, or an administrator, that has no group',
  },
  {
    pattern: 'link.guest.<group>.<random>',
    publish: any(...PROCESSES),
    subscribe: own('application', 'administrator'),
    purpose: 'frames for an application, or an administrator',
  },
];

/** Where whoever has sent a frame hears that nobody listens there (NATS status 503), or that it was refused. */
function refusals(address: string, listeners: readonly BusRole[], purpose: string): SubjectRow {
  return {
    pattern: `refused.${address}.<peer and number...>`,
    publish: any(...PROCESSES),
    subscribe: own(...listeners),
    purpose,
  };
}

const REFUSALS: readonly SubjectRow[] = [
  refusals('node.<node>', ['node'], 'refusals of frames of a node: `<address of the peer>.<password>.<number of the frame>`'),
  refusals('router.<router>', ['router'], 'refusals of frames of a router'),
  refusals('client.<random>', [], 'refusals of frames of a client that holds the secret and has no group'),
  refusals('client.<group>.<random>', TRUSTED_CLIENTS, 'refusals of frames of a client that holds the secret'),
  refusals('guest.<random>', [], 'refusals of frames of an application that has no group'),
  refusals(
    'guest.<group>.<random>',
    ['application', 'administrator'],
    'refusals of frames of an application, or an administrator',
  ),
];

/** Where answers come to what was asked of nobody in particular. */
function inbox(address: string, listeners: readonly BusRole[], purpose: string): SubjectRow {
  return { pattern: `inbox.${address}`, publish: any(...PROCESSES), subscribe: own(...listeners), purpose };
}

const INBOXES: readonly SubjectRow[] = [
  inbox('node.<node>.<number>', ['node'], 'answers to questions of a node, to `discover` and `presence`'),
  inbox('router.<router>.<number>', ['router'], 'answers to questions of a router'),
  inbox('anti-entropy.<worker>.<number>', ['worker'], 'answers to questions of a worker about its name'),
  inbox('client.<random>.<number>', [], 'answers to questions of a client that holds the secret and has no group'),
  inbox('client.<group>.<random>.<number>', ['worker', 'direct'], 'answers to questions of a client that holds the secret'),
  inbox('guest.<random>.<number>', [], 'answers to questions of an application that has no group'),
  inbox(
    'guest.<group>.<random>.<number>',
    ['application', 'administrator'],
    'answers to questions of an application or a command',
  ),
  inbox('plain.<user>.<number...>', ['plain'], 'answers of the plain API, where a user has this inbox prefix'),
  inbox('monitor.<user>.<number...>', ['monitor'], 'answers to monitoring, where a user has this inbox prefix'),
];

const FINDING: readonly SubjectRow[] = [
  {
    pattern: 'discover.node',
    publish: any(...PROCESSES, 'direct', 'administrator', 'application-at-nodes'),
    subscribe: any('node'),
    purpose: 'one of the nodes answers with its link address',
  },
  {
    pattern: 'discover.router',
    publish: any('application', 'administrator'),
    subscribe: any('router'),
    purpose: 'one of the routers answers with its link address',
  },
  {
    pattern: 'discover.newcomer',
    publish: any('administrator'),
    subscribe: any('node'),
    purpose: 'one of the nodes that know of no cluster yet answers with its link address',
  },
  {
    pattern: 'announce',
    publish: any('node'),
    subscribe: any('node', 'router', 'worker', 'direct'),
    purpose: '`<link address> <history fingerprint>`, after every change',
  },
  {
    pattern: 'presence',
    publish: any(...PROCESSES),
    subscribe: any(...PROCESSES),
    purpose: 'a claim, what it asks and what it answers, for everybody: as JSON, a line feed, and the MAC of that JSON in hex',
  },
  { pattern: 'presence.node.<node>', publish: own('node'), subscribe: own('node'), purpose: 'claims to the name of a node' },
  {
    pattern: 'presence.router.<router>',
    publish: own('router'),
    subscribe: own('router'),
    purpose: 'claims to the name of a router',
  },
  {
    pattern: 'presence.anti-entropy.<worker>',
    publish: own('worker'),
    subscribe: own('worker'),
    purpose: 'claims to the name of a worker',
  },
];

const WATCHING: readonly SubjectRow[] = [
  {
    pattern: 'status.node.<node>',
    publish: any('monitor'),
    subscribe: own('node'),
    purpose: 'a node answers with its status as JSON; where tokens are required, with `{name, role, version, ready}` and no more',
  },
  { pattern: 'status.router.<router>', publish: any('monitor'), subscribe: own('router'), purpose: 'a router does' },
  { pattern: 'status.anti-entropy.<worker>', publish: any('monitor'), subscribe: own('worker'), purpose: 'a worker does' },
  {
    pattern: 'workers',
    publish: any('administrator'),
    subscribe: any('worker'),
    purpose: 'a roll call: each worker answers with its address, `anti-entropy.<name>`, as text',
  },
  ...['PING', 'INFO', 'STATS'].map((question): SubjectRow => ({
    pattern: `$SRV.${question}`,
    publish: any('monitor'),
    subscribe: any(...PROCESSES),
    purpose: 'NATS service discovery: every service answers',
  })),
  {
    pattern: '$SRV.<question>.<service>',
    publish: own('monitor'),
    subscribe: own(...PROCESSES),
    purpose: 'the same of one service: `armature-node`, `armature-router`, `armature-api` or `armature-anti-entropy`',
  },
  {
    pattern: '$SRV.<question>.<service>.<instance>',
    publish: own('monitor'),
    subscribe: own(...PROCESSES),
    purpose: 'the same of one instance',
  },
];

const PLAIN_API: readonly SubjectRow[] = [
  {
    pattern: 'api.<verb>',
    publish: own('plain-by-header'),
    subscribe: any('router'),
    purpose: 'the plain API: `get`, `put` or `delete`, with bucket and key in headers',
  },
  {
    pattern: 'api.<verb>.<bucket>',
    publish: own('plain'),
    subscribe: any('router'),
    purpose: 'the same, with the key in a header',
  },
  {
    pattern: 'api.<verb>.<bucket>.<key...>',
    publish: own('plain'),
    subscribe: any('router'),
    purpose: 'the same, without headers',
  },
];

export const SUBJECT_TABLE: readonly SubjectRow[] = [...LINKS, ...REFUSALS, ...INBOXES, ...FINDING, ...WATCHING, ...PLAIN_API];
