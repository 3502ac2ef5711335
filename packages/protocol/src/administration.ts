/**
 * The door of administration: where commands are given to nodes, routers and anti-entropy workers, and looked at what they do,
 * with a token that has a role.
 *
 * Each of these processes has one link address for it, `admin.node.<name>`, `admin.router.<name>` or `admin.anti-entropy.<name>`.
 * Whoever gives commands hears the answers at a guest's address, `guest.<group>.<random>`. Who holds the secret of the cluster
 * makes himself a token and comes to the same door.
 *
 * The table below says what may be asked there and which role it takes; nothing else is answered.
 */
import { ArmatureError } from '@armature/kernel';
import type { Role } from '@armature/rights';
import type { Change } from './change.js';
import type { CommandsRequest } from './command-record.js';
import type { HoldingsRequest } from './holdings.js';
import type { HistoryRequest, ProposeRequest, Request, StatusRequest } from './messages.js';
import type { ReapRequest } from './reaping.js';
import type { ExchangeRequest } from './synchronisation.js';
import type { WorkerRequest } from './worker-status.js';

export type AdministrationRequest =
  | StatusRequest
  | HistoryRequest
  | CommandsRequest
  | HoldingsRequest
  | ExchangeRequest
  | ReapRequest
  | WorkerRequest
  | ProposeRequest;

/**
 * The least role that each takes, and whether it leaves a trace where it does not change the membership: looking at what is cheap
 * to tell does not.
 */
const RULES: { readonly [K in AdministrationRequest['kind']]: { readonly role: Role; readonly isRecorded: boolean } } = {
  status: { role: 'viewer', isRecorded: false },
  history: { role: 'viewer', isRecorded: false },
  commands: { role: 'viewer', isRecorded: false },
  holdings: { role: 'viewer', isRecorded: true },
  exchange: { role: 'operator', isRecorded: true },
  reap: { role: 'operator', isRecorded: true },
  worker: { role: 'operator', isRecorded: true },
  propose: { role: 'administrator', isRecorded: false },
};

/** What is answered at the door, `ping` besides. */
export const ADMINISTRATION_KINDS: ReadonlySet<Request['kind']> = new Set([
  'ping',
  ...(Object.keys(RULES) as AdministrationRequest['kind'][]),
]);

export function isAdministration(request: Request): request is AdministrationRequest {
  return request.kind in RULES;
}

export function leastRoleFor(request: AdministrationRequest): Role {
  return isLookAtWorker(request) ? 'viewer' : RULES[request.kind].role;
}

/** Whether a command that was carried out is kept among the records of commands. What was refused is kept in any case. */
export function isRecorded(request: AdministrationRequest): boolean {
  return RULES[request.kind].isRecorded && !isLookAtWorker(request);
}

function isLookAtWorker(request: AdministrationRequest): boolean {
  return request.kind === 'worker' && request.command === 'status';
}

/** The command in words, for its record: 1 to `MAX_COMMAND_CHARS` printable characters. */
export function commandWords(request: AdministrationRequest): string {
  switch (request.kind) {
    case 'exchange':
      return `repair${ofBucket(request)}`;
    case 'reap':
      return `reap${ofBucket(request)}`;
    case 'worker':
      return request.command === 'status' ? 'status of the worker' : `${request.command} the worker`;
    case 'propose':
      return changeWords(request.change);
    default:
      return request.kind;
  }
}

function ofBucket({ bucket }: ExchangeRequest | ReapRequest): string {
  return bucket === undefined ? '' : ` of bucket ${bucket}`;
}

function changeWords(change: Change): string {
  switch (change.kind) {
    case 'create':
      return `create ${change.cluster}`;
    case 'bucket':
      return `bucket ${change.bucket}`;
    case 'access':
      return 'access';
    case 'replace':
      return `replace ${change.node} by ${change.by.node}`;
    default:
      return `${change.kind} ${change.node}`;
  }
}

/** The door of the process at this link address, e.g. `node.n1`. */
export function adminAddress(server: string): string {
  return `admin.${server}`;
}

/** Error `forbidden`: this is no business of the door of administration. */
export function noAdministration(kind: Request['kind']): ArmatureError {
  return new ArmatureError('forbidden', `the door of administration does not take ${kind}`, {
    remedy: 'Keys are read and written at the front door. What nodes say to each other takes the secret of the cluster.',
  });
}
