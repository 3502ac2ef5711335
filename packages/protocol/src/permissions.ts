/**
 * What a user of NATS may publish and subscribe to, made from the table of subjects: of each row that his role is in, the pattern
 * with his own names put in, and `*` for all others.
 *
 * NATS takes a trailing `*` of a permission to subscribe for `>`: it matches the subject that is asked for token by token, and
 * `>` is a token, too. So a permission for `link.guest.*` would let its holder hear all groups, and who has no group can be given
 * none. The table has nobody at such subjects.
 */
import type { ClusterName } from '@armature/kernel';
import { SUBJECT_TABLE, type BusRole, type Party, type SubjectRow } from './subject-table.js';

/**
 * Names of a user by what stands in `<...>` of the patterns: `{ group: 'shop', bucket: 'payments', right: 'read' }`. What is not
 * there may be anything.
 */
export type OwnNames = Readonly<Record<string, string>>;

/** A role, and under which names: one entry for each combination of them. */
export interface Appointment {
  readonly role: BusRole;
  readonly names: readonly OwnNames[];
}

export interface NatsPermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

export interface SubjectSpace {
  readonly prefix: string;
  readonly cluster: ClusterName;
}

/** All that the roles together need, and nothing else. */
export function permissionsOf(space: SubjectSpace, appointments: readonly Appointment[]): NatsPermissions {
  const of = (direction: Direction): readonly string[] => {
    const patterns = shortened(direction, appointments).map((pattern) => absolute(space, pattern));
    return [...new Set(patterns)];
  };
  return { publish: of('publish'), subscribe: of('subscribe') };
}

export type Direction = 'publish' | 'subscribe';

/**
 * A pattern as NATS writes it, with these names put in: `link.node.<node>` is `link.node.*`, and `api.<verb>.<bucket>.<key...>`
 * is `api.*.*.>`.
 */
export function natsPattern(pattern: string, names: OwnNames): string {
  const tokens: string[] = [];
  for (const token of tokensOf(pattern)) {
    if (token.endsWith('...>')) return [...tokens, '>'].join('.');
    tokens.push(token.startsWith('<') ? (names[token.slice(1, -1)] ?? '*') : token);
  }
  return tokens.join('.');
}

/** The tokens of a pattern: `<peer and number...>` is one. */
export function tokensOf(pattern: string): readonly string[] {
  return pattern.match(/<[^>]*>|[^.]+/g) ?? [];
}

/** Of a row's pattern, or what is made of it, the subject on the bus. */
export function absolute({ prefix, cluster }: SubjectSpace, pattern: string): string {
  return pattern.startsWith('$SRV') ? pattern : `${prefix}.${cluster}.${pattern}`;
}

/**
 * In the order of the table. Where a role may use everything that begins alike, that is one pattern: `inbox.>` for all inboxes.
 */
function shortened(direction: Direction, appointments: readonly Appointment[]): readonly string[] {
  const isFree = (row: SubjectRow): boolean =>
    row[direction].some(({ role, at }) => at === 'any' && appointments.some((one) => one.role === role));
  return SUBJECT_TABLE.flatMap((row) => {
    for (const depth of [1, 2]) {
      const start = row.pattern.split('.').slice(0, depth).join('.');
      const alike = SUBJECT_TABLE.filter(({ pattern }) => pattern.startsWith(`${start}.`));
      if (alike.length > 1 && !start.startsWith('$SRV') && alike.every(isFree)) return [`${start}.>`];
    }
    return appointments.flatMap(({ role, names }) =>
      row[direction]
        .filter((party: Party) => party.role === role)
        .flatMap(({ at }) => (at === 'any' ? [natsPattern(row.pattern, {})] : names.map((one) => natsPattern(row.pattern, one)))),
    );
  });
}
