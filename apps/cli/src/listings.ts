/**
 * All commands, in the order in which help lists them, each with the file that it is loaded from. What a command does, and which
 * options it takes, is in that file.
 */
import type { Listing } from './command.js';

/** A word that stands before the names of its commands: `armature cluster status`. */
export interface ListingGroup {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly Listing[];
}

const about = () => import('./commands/about.js');
const bucket = () => import('./commands/bucket.js');
const clusterChange = () => import('./commands/cluster-change.js');
const repair = () => import('./commands/repair.js');
const token = () => import('./commands/token.js');

const put: Listing = {
  usage: 'put <bucket> <key> [value]',
  summary: 'write a value',
  load: async () => (await import('./commands/put.js')).putCommand,
};

const get: Listing = {
  usage: 'get <bucket> <key>',
  summary: 'read a value',
  load: async () => (await import('./commands/get.js')).getCommand,
};

const remove: Listing = {
  usage: 'delete <bucket> <key>',
  summary: 'delete a key',
  load: async () => (await import('./commands/delete.js')).deleteCommand,
};

const keys: Listing = {
  usage: 'keys <bucket>',
  summary: 'list the keys of a bucket',
  load: async () => (await import('./commands/keys.js')).keysCommand,
};

const importFile: Listing = {
  usage: 'import <bucket> <file>',
  summary: 'write the records of a file ("-": standard input)',
  load: async () => (await import('./commands/import.js')).importCommand,
};

const exportFile: Listing = {
  usage: 'export <bucket> [file]',
  summary: 'write the records of a bucket to a file',
  load: async () => (await import('./commands/export.js')).exportCommand,
};

const cluster: ListingGroup = {
  name: 'cluster',
  summary: 'the members of the cluster: create, status, plan, join, leave, replace, remove, history and more',
  commands: [
    {
      usage: 'create',
      summary: 'make a cluster of nodes that run and belong to none',
      load: async () => (await import('./commands/cluster-create.js')).clusterCreateCommand,
    },
    {
      usage: 'status',
      summary: 'show the members and how they are',
      load: async () => (await import('./commands/cluster-status.js')).clusterStatusCommand,
    },
    {
      usage: 'plan <changes...>',
      summary: 'show what changes of membership would do, and change nothing',
      load: async () => (await import('./commands/cluster-plan.js')).clusterPlanCommand,
    },
    {
      usage: 'commit <plan>',
      summary: 'make the changes of a plan ("-": standard input)',
      load: async () => (await import('./commands/cluster-commit.js')).clusterCommitCommand,
    },
    {
      usage: 'transfers',
      summary: 'show what data is on the move',
      load: async () => (await import('./commands/cluster-transfers.js')).clusterTransfersCommand,
    },
    { usage: 'join <node>', summary: 'let a running node in', load: async () => (await clusterChange()).clusterJoinCommand },
    {
      usage: 'leave <node>',
      summary: 'let a node go in good order',
      load: async () => (await clusterChange()).clusterLeaveCommand,
    },
    {
      usage: 'remove <node>',
      summary: 'give up a node that is gone for good',
      load: async () => (await clusterChange()).clusterRemoveCommand,
    },
    {
      usage: 'replace <node> <successor>',
      summary: 'let a new node take over the share of another',
      load: async () => (await clusterChange()).clusterReplaceCommand,
    },
    {
      usage: 'weight <node> <weight>',
      summary: "change a node's share",
      load: async () => (await clusterChange()).clusterWeightCommand,
    },
    {
      usage: 'zone <node> <zone>',
      summary: "change a node's failure domain",
      load: async () => (await clusterChange()).clusterZoneCommand,
    },
    {
      usage: 'history',
      summary: 'list the changes of membership, buckets and access, the other commands, and who gave them',
      load: async () => (await import('./commands/cluster-history.js')).clusterHistoryCommand,
    },
    {
      usage: 'access',
      summary: 'show, or change, what the doors for applications demand',
      load: async () => (await import('./commands/cluster-access.js')).clusterAccessCommand,
    },
  ],
};

const buckets: ListingGroup = {
  name: 'bucket',
  summary: 'buckets and their properties',
  commands: [
    { usage: 'list', summary: 'list the buckets', load: async () => (await bucket()).bucketListCommand },
    { usage: 'show <name>', summary: "show a bucket's properties", load: async () => (await bucket()).bucketShowCommand },
    { usage: 'create <name>', summary: 'make a bucket', load: async () => (await bucket()).bucketCreateCommand },
    {
      usage: 'update <name>',
      summary: "change some of a bucket's properties",
      load: async () => (await bucket()).bucketUpdateCommand,
    },
  ],
};

const tokens: ListingGroup = {
  name: 'token',
  summary: 'tokens: who may read, write, list and administer what',
  commands: [
    {
      usage: 'create',
      summary: 'make a token, with the secret of the cluster',
      load: async () => (await token()).tokenCreateCommand,
    },
    {
      usage: 'inspect <file>',
      summary: 'show what a token allows, and whether this cluster made it',
      load: async () => (await token()).tokenInspectCommand,
    },
    { usage: 'revoke', summary: 'make all tokens void that there are', load: async () => (await token()).tokenRevokeCommand },
  ],
};

const ring: ListingGroup = {
  name: 'ring',
  summary: 'who owns what, where a key lives, and how strategies compare',
  commands: [
    {
      usage: 'show',
      isDefault: true,
      summary: 'draw the ring, or say where a key lives',
      load: async () => (await import('./commands/ring.js')).ringShowCommand,
    },
    {
      usage: 'simulate',
      summary: "compare the paper's three partitioning strategies (figure 8); needs no cluster",
      load: async () => (await import('./commands/ring-simulate.js')).ringSimulateCommand,
    },
  ],
};

const repairs: ListingGroup = {
  name: 'repair',
  summary: 'replica synchronisation: now, and what the workers do',
  commands: [
    {
      usage: 'run',
      isDefault: true,
      summary: 'compare all replicas now, and merge what differs',
      load: async () => (await repair()).repairRunCommand,
    },
    {
      usage: 'status',
      summary: 'show what the anti-entropy workers are doing',
      load: async () => (await repair()).repairStatusCommand,
    },
    {
      usage: 'pause',
      summary: 'let the anti-entropy workers start no exchange',
      load: async () => (await repair()).repairPauseCommand,
    },
    { usage: 'resume', summary: 'let the anti-entropy workers go on', load: async () => (await repair()).repairResumeCommand },
  ],
};

const reap: Listing = {
  usage: 'reap',
  summary: 'drop the tombstones of deleted keys, and the entries of clocks, that nobody needs any more',
  load: async () => (await import('./commands/reap.js')).reapCommand,
};

const ping: Listing = {
  usage: 'ping [node]',
  summary: 'ask every member, or one node, whether it is there',
  load: async () => (await import('./commands/ping.js')).pingCommand,
};

const natsConfig: Listing = {
  usage: 'nats-config',
  summary: 'write the users and permissions of this cluster for nats-server',
  load: async () => (await import('./commands/nats-config.js')).natsConfigCommand,
};

const config: ListingGroup = {
  name: 'config',
  summary: 'the settings of this command line',
  commands: [
    {
      usage: 'show',
      summary: 'show the effective settings and where each comes from',
      load: async () => (await about()).configShowCommand,
    },
  ],
};

const version: Listing = {
  usage: 'version',
  summary: 'show the version of this program',
  load: async () => (await about()).versionCommand,
};

const exitCodes: Listing = {
  usage: 'exit-codes',
  summary: 'list what the exit codes mean',
  load: async () => (await about()).exitCodesCommand,
};

/** By the headings of help. */
export const LISTINGS: readonly (readonly [heading: string, commands: readonly (Listing | ListingGroup)[]])[] = [
  ['Data:', [put, get, remove, keys, importFile, exportFile]],
  ['Administration:', [cluster, buckets, tokens, ring, repairs, reap, ping, natsConfig]],
  ['About:', [config, version, exitCodes]],
];
