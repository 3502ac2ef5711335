/** Users of NATS in the syntax of nats-server, each with a comment that says who uses it. */
import type { Login, NatsUser } from './users.js';

/** The first line of what is written, by which a file of ours is known. */
export const HEADER = '# Users of NATS for the Armature cluster';

export interface Rendering {
  readonly cluster: string;
  readonly users: readonly NatsUser[];
  /** Only the list of users, to be included into `authorization` or an account. */
  readonly usersOnly: boolean;
}

export function renderUsers({ cluster, users, usersOnly }: Rendering): string {
  const indent = usersOnly ? '' : '  ';
  const list = [`${indent}users: [`, ...users.flatMap((user) => userLines(user, `${indent}  `)), `${indent}]`];
  const variables = users.flatMap(({ login }) => ('variable' in login ? [login.variable] : []));
  return [
    `${HEADER} ${JSON.stringify(cluster)}: what each may publish and subscribe to.`,
    '# Made by "armature nats-config". To change anything, run it again, and then: nats-server --signal reload',
    ...(usersOnly
      ? ['# To be included into "authorization { ... }", or into an account of "accounts { ... }".']
      : ['# Run: nats-server -c <this file>, or include it at the top level of a configuration that has no users.']),
    ...(variables.length === 0
      ? []
      : [
          `# Environment of nats-server: ${variables.join(', ')}.`,
          '# A password there begins with a letter, and has letters and digits only: nats-server reads it as it reads this file.',
        ]),
    '',
    ...(usersOnly ? list : ['authorization: {', ...list, '}']),
    '',
  ].join('\n');
}

function userLines({ name, about, permissions, login }: NatsUser, indent: string): readonly string[] {
  const subjects = (what: string, patterns: readonly string[]): readonly string[] =>
    patterns.length === 0
      ? [`    ${what}: { deny: ">" }`]
      : [`    ${what}: { allow: [`, ...patterns.map((pattern) => `      ${JSON.stringify(pattern)}`), '    ] }'];
  return [
    ...about.map((line) => `# ${line}`),
    '{',
    ...loginLines(name, login).map((line) => `  ${line}`),
    '  permissions: {',
    ...subjects('publish', permissions.publish),
    ...subjects('subscribe', permissions.subscribe),
    '  }',
    '}',
  ].map((line) => `${indent}${line}`);
}

function loginLines(name: string, login: Login): readonly string[] {
  if ('nkey' in login) return [`# ${name}`, `nkey: ${login.nkey}`];
  const password = 'bcrypt' in login ? JSON.stringify(login.bcrypt) : `$${login.variable}`;
  return [`user: ${JSON.stringify(name)}`, `password: ${password}`];
}
