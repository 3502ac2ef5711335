/**
 * The users of NATS that a cluster needs: the roles of each, the names that he may use, and what it takes to be him. What he may
 * publish and subscribe to follows from the table of subjects (`protocol/subject-table.ts`).
 *
 * They are users of one account. The parts of a cluster talk to one another all the time, and an account for each would need an
 * export and an import for each subject; and an operator who runs NATS already can add users to an account that is there, which
 * is the boundary towards everything else.
 */
import { clipped, type ClusterName } from '@armature/kernel';
import {
  FRONT_RIGHTS,
  WORKER_GROUP,
  permissionsOf,
  subjectsOf,
  type Appointment,
  type BusRole,
  type NatsPermissions,
  type OwnNames,
} from '@armature/protocol';
import { invalid } from '../parse.js';
import { PLAIN_VERBS, type BucketGrant, type GivenLogin, type Wishes } from './wishes.js';

export type Login = GivenLogin | { readonly variable: string };

export interface NatsUser {
  readonly name: string;
  /** Who uses it, what for, and what he has to set: a line each. */
  readonly about: readonly string[];
  readonly appointments: readonly Appointment[];
  readonly permissions: NatsPermissions;
  readonly login: Login;
}

/** A user before his login and his permissions. */
interface Draft {
  readonly name: string;
  readonly about: readonly string[];
  readonly appointments: readonly Appointment[];
}

/**
 * In the order: processes, administrators, direct clients, applications, monitoring. Throws `invalid-argument` where two would
 * have one name.
 */
export function natsUsers(
  space: { readonly prefix: string; readonly cluster: ClusterName },
  wishes: Wishes,
): readonly NatsUser[] {
  const processes = [
    ...processUsers('node', 'nodes', wishes.nodes, (name) => [{ ...own('node', name), service: 'armature-node' }]),
    ...processUsers('router', 'routers', wishes.routers, (name) => [
      { ...own('router', name), service: 'armature-router' },
      { ...own('router', name), service: 'armature-api' },
    ]),
    ...processUsers('worker', 'anti-entropy workers', wishes.workers, (name) => [
      { ...own('worker', name), group: WORKER_GROUP, service: 'armature-anti-entropy' },
    ]),
  ];
  const clients = clientNames(wishes).map((name) => clientUser(space, name, wishes));
  checkNames(processes, clients);
  const drafts = [...processes, ...clients];
  const unknown = [...wishes.logins.keys()].find((user) => drafts.every(({ name }) => name !== user));
  if (unknown !== undefined)
    throw invalid(
      `there is a login for ${clipped(unknown)}, and no such user`,
      `There are ${clipped(drafts.map(({ name }) => name).join(', '))}.`,
    );
  const users = drafts.map((draft) => ({
    ...draft,
    permissions: permissionsOf(space, draft.appointments),
    login: wishes.logins.get(draft.name) ?? { variable: variableOf(draft.name) },
  }));
  checkVariables(users);
  return users;
}

function checkNames(processes: readonly Draft[], clients: readonly Draft[]): void {
  for (const { name } of clients) {
    const another = 'Give the client another name.';
    if (name === WORKER_GROUP) throw invalid(`${WORKER_GROUP} is the group of the workers, whose answers it would hear`, another);
    if (processes.some((one) => one.name === name))
      throw invalid(`the user ${name} would be a process and a client at once`, another);
  }
}

function own(placeholder: string, name: string | undefined): OwnNames {
  return name === undefined ? {} : { [placeholder]: name };
}

/** One user for all processes of the role, or one for each of these names. */
function processUsers(
  role: 'node' | 'router' | 'worker',
  kind: string,
  names: readonly string[],
  namesOf: (name: string | undefined) => readonly OwnNames[],
): readonly Draft[] {
  if (names.length === 0) return [{ name: role, about: [`All ${kind}.`], appointments: [{ role, names: namesOf(undefined) }] }];
  return [...new Set(names)].map((name) => ({
    name: `${role}-${name}`,
    about: [`The ${role} ${name}.`],
    appointments: [{ role, names: namesOf(name) }],
  }));
}

function clientNames({ administrator, directClient, application, plain, monitor }: Wishes): readonly string[] {
  const granted = [...application, ...plain].map(({ user }) => user);
  return [...new Set([...administrator, ...directClient, ...granted, ...monitor])];
}

function clientUser(space: { readonly prefix: string; readonly cluster: ClusterName }, name: string, wishes: Wishes): Draft {
  const subjects = subjectsOf(space.prefix, space.cluster);
  const doors = wishes.application.filter(({ user }) => user === name);
  const plain = wishes.plain.filter(({ user }) => user === name);
  const about: string[] = [];
  const appointments: Appointment[] = [];
  const appoint = (role: BusRole, names: readonly OwnNames[]): void => void appointments.push({ role, names });
  if (wishes.administrator.includes(name)) {
    about.push(`Commands of administration, with a token that has a role or the secret of the cluster. Set: group ${name}.`);
    appoint('administrator', [{ group: name }]);
  }
  if (wishes.directClient.includes(name)) {
    about.push(`A direct client, which holds the secret of the cluster. Set: group ${name}.`);
    appoint('direct', [{ group: name }]);
  }
  if (doors.length > 0) {
    about.push(`Applications, with ${wordsOf(doors)}, through routers${wishes.atNodes ? ' and nodes' : ''}. Set: group ${name}.`);
    const names = combinations(doors, 'right', { group: name }, FRONT_RIGHTS.length);
    appoint('application', names);
    if (wishes.atNodes) appoint('application-at-nodes', names);
  }
  if (plain.length > 0) {
    about.push(`The plain API, with ${wordsOf(plain)}. Set: inbox prefix ${subjects.inbox(`plain.${name}`)}.`);
    appoint('plain', combinations(plain, 'verb', { user: name }, PLAIN_VERBS.length));
    const everywhere = plain.filter(({ bucket }) => bucket === '*');
    if (everywhere.length > 0) appoint('plain-by-header', combinations(everywhere, 'verb', { user: name }, PLAIN_VERBS.length));
  }
  if (wishes.monitor.includes(name)) {
    about.push(`Monitoring: NATS service discovery and status. Set: inbox prefix ${subjects.inbox(`monitor.${name}`)}.`);
    const services = ['armature-node', 'armature-router', 'armature-api', 'armature-anti-entropy'];
    appoint(
      'monitor',
      services.map((service) => ({ user: name, service })),
    );
  }
  return { name, about, appointments };
}

function wordsOf(grants: readonly BucketGrant[]): string {
  return grants
    .map(({ bucket, words }) => `${words.join(', ')} in ${bucket === '*' ? 'every bucket' : `bucket ${bucket}`}`)
    .join('; ');
}

/** Each bucket with each of its words; of a grant of all words, and of every bucket, that may be anything. */
function combinations(grants: readonly BucketGrant[], word: string, names: OwnNames, all: number): readonly OwnNames[] {
  return grants.flatMap((grant) => {
    const bucket = grant.bucket === '*' ? {} : { bucket: grant.bucket };
    if (grant.words.length === all) return [{ ...names, ...bucket }];
    return grant.words.map((one) => ({ ...names, ...bucket, [word]: one }));
  });
}

function variableOf(user: string): string {
  return `NATS_PASSWORD_${user.toUpperCase().replaceAll('-', '_')}`;
}

/** `a-b`, `a_b` and `A_B` would share a password. */
function checkVariables(users: readonly NatsUser[]): void {
  const owners = new Map<string, string>();
  for (const { name, login } of users) {
    if (!('variable' in login)) continue;
    const other = owners.get(login.variable);
    if (other !== undefined)
      throw invalid(
        `the users ${other} and ${name} would have one variable, ${login.variable}`,
        'Give one of them another name.',
      );
    owners.set(login.variable, name);
  }
}
