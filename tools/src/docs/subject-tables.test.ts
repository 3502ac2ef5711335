import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { workspaceRoot } from '../workspace-root.js';
import { withSubjectTables } from './subject-tables.js';

test('docs/protocol.md says of subjects what the table says; if not: npm run docs:subjects', async () => {
  const file = join(workspaceRoot(import.meta.dirname), 'docs', 'protocol.md');
  const page = readFileSync(file, 'utf8');
  expect(await withSubjectTables(page, file)).toBe(page);
});
