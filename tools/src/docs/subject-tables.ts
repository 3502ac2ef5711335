/**
 * The part of docs/protocol.md that is made of the table of subjects: who publishes and subscribes where, and what that comes to
 * for each role. It stands between two marks on that page, and `npm run docs:subjects` renews it.
 */
import { BUS_ROLES, SUBJECT_TABLE, permissionsOf, type BusRole, type OwnNames, type Party } from '@armature/protocol';
import { format, resolveConfig } from 'prettier';

const BEGIN = '<!-- made by "npm run docs:subjects" from packages/protocol/src/subject-table.ts -->';
const END = '<!-- end of what is made -->';

/** What a role is called, and the names of its own that stand in its permissions. */
const ROLES: Readonly<Record<BusRole, { readonly called: string; readonly names: readonly OwnNames[] }>> = {
  node: { called: 'nodes', names: [{ node: '<node>', service: 'armature-node' }] },
  router: {
    called: 'routers',
    names: ['armature-router', 'armature-api'].map((service) => ({ router: '<router>', service })),
  },
  worker: {
    called: 'anti-entropy workers',
    names: [{ worker: '<worker>', group: 'anti-entropy', service: 'armature-anti-entropy' }],
  },
  administrator: { called: 'administrators', names: [{ group: '<group>' }] },
  direct: { called: 'direct clients', names: [{ group: '<group>' }] },
  application: { called: 'applications', names: [{ group: '<group>', bucket: '<bucket>', right: '<right>' }] },
  'application-at-nodes': {
    called: 'applications that may ask nodes',
    names: [{ group: '<group>', bucket: '<bucket>', right: '<right>' }],
  },
  plain: { called: 'users of the plain API', names: [{ user: '<user>', bucket: '<bucket>', verb: '<verb>' }] },
  'plain-by-header': { called: 'users of the plain API in every bucket', names: [{ user: '<user>', verb: '<verb>' }] },
  monitor: { called: 'monitoring', names: [{ user: '<user>', service: '<service>' }] },
};

/** The page with that part as it is to be, as prettier writes it. Throws where the marks are missing. */
export async function withSubjectTables(page: string, file: string): Promise<string> {
  const [before, after] = [page.split(BEGIN)[0], page.split(END)[1]];
  if (before === undefined || after === undefined) throw new Error(`${file} lacks the marks ${BEGIN} and ${END}`);
  const made = [before + BEGIN, subjectTable(), END + after].join('\n\n');
  return format(made, { ...(await resolveConfig(file)), parser: 'markdown' });
}

function subjectTable(): string {
  const rows = SUBJECT_TABLE.map(
    ({ pattern, publish, subscribe, purpose }) =>
      `| \`${pattern}\` | ${partiesOf(publish)} | ${partiesOf(subscribe)} | ${purpose} |`,
  );
  return [
    ['| Subject | Publish | Subscribe | For |', '| --- | --- | --- | --- |', ...rows].join('\n'),
    'What that comes to, for each role:',
    ['```text', ...BUS_ROLES.flatMap(permissionLines), '```'].join('\n'),
  ].join('\n\n');
}

function partiesOf(parties: readonly Party[]): string {
  return parties.map(({ role, at }) => (at === 'own' ? `${ROLES[role].called}*` : ROLES[role].called)).join(', ');
}

function permissionLines(role: BusRole): readonly string[] {
  const { called, names } = ROLES[role];
  const { publish, subscribe } = permissionsOf({ prefix: '<p>', cluster: '<c>' as never }, [{ role, names }]);
  const lines = (what: string, patterns: readonly string[]): readonly string[] =>
    wrapped(patterns.map((pattern) => pattern.replace('<p>.<c>.', ''))).map(
      (line, i) => `  ${(i === 0 ? what : '').padEnd(10)} ${line}`,
    );
  return [called, ...lines('publish', publish), ...lines('subscribe', subscribe)];
}

const LINE_CHARS = 130;

function wrapped(all: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (const one of all) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + one.length < LINE_CHARS) lines[lines.length - 1] = `${last}  ${one}`;
    else lines.push(one);
  }
  return lines;
}
