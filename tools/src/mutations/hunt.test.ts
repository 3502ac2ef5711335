import { expect, test } from 'vitest';
import { workspaceRoot } from '../workspace-root.js';
import { hunt } from './hunt.js';
import { MUTATIONS } from './list/index.js';

const ROOT = workspaceRoot(import.meta.dirname);
/** Two processes that load the whole workspace, on a machine that may be busy. */
const LIMIT_MS = 300_000;

test(
  'a seeded bug runs in a process of its own, and is caught there; the sound code shows nothing on the same seed',
  async () => {
    const mutation = MUTATIONS.find(({ name }) => name === 'put-supersedes-unseen');
    const run = mutation?.run ?? {};
    const caught = await hunt(ROOT, { mutation, run, from: 1, seeds: 1 });
    expect(caught.violations.join('\n')).toMatch(/lost: /);
    const sound = await hunt(ROOT, { mutation: undefined, run, from: 1, seeds: 1 });
    expect(sound).toMatchObject({ seeds: 1, violations: [] });
  },
  LIMIT_MS,
);
