/** `npm run docs:subjects`: renews what docs/protocol.md says of subjects and permissions. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '../workspace-root.js';
import { withSubjectTables } from './subject-tables.js';

const HELP =
  'npm run docs:subjects: writes what docs/protocol.md says of subjects and permissions, from packages/protocol/src/subject-table.ts';

const file = join(workspaceRoot(import.meta.dirname), 'docs', 'protocol.md');
const page = readFileSync(file, 'utf8');
const renewed = await withSubjectTables(page, file);
if (process.argv.includes('--help')) console.log(HELP);
else if (renewed === page) console.log('docs/protocol.md is as it should be');
else {
  writeFileSync(file, renewed);
  console.log('docs/protocol.md is renewed');
}
