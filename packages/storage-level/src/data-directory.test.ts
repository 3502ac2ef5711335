/**
 * The data directory on file systems that cannot do everything: a FAT, some network mounts and some containers have no hard
 * links.
 */
import * as fs from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { StorageIdentity } from '@armature/storage';
import { inspectDirectory, stampDirectory } from './data-directory.js';

/** What such a file system answers to whoever wants a second name for a file. */
const { noLinks } = vi.hoisted(() => {
  const refusal = (): Error => Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' });
  return {
    noLinks: {
      link: () => Promise.reject(refusal()),
      linkSync: () => {
        throw refusal();
      },
    },
  };
});
vi.mock('node:fs/promises', async (original) => ({ ...(await original<object>()), link: noLinks.link }));
vi.mock('node:fs', async (original) => ({ ...(await original<object>()), linkSync: noLinks.linkSync, link: noLinks.linkSync }));

const IDENTITY: StorageIdentity = { cluster: 'c', node: 'n1' };
let directory: string;

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'armature-links-')), 'data');
});
afterEach(() => rm(join(directory, '..'), { recursive: true, force: true }));

test('a file system without hard links takes a stamp, which is there whole and found again', async () => {
  expect(() => fs.linkSync('a', 'b'), 'this is one').toThrow('EPERM');
  expect(await inspectDirectory(directory, IDENTITY)).toEqual({ stamped: false });
  await stampDirectory(directory, IDENTITY);
  const stamp = await readFile(join(directory, 'ARMATURE'), 'utf8');
  expect(stamp).toContain('n1');
  await stampDirectory(directory, IDENTITY); // another process of this node was faster
  expect(await readFile(join(directory, 'ARMATURE'), 'utf8')).toBe(stamp);
  await expect(stampDirectory(directory, { ...IDENTITY, node: 'n2' })).rejects.toMatchObject({
    code: 'storage-foreign',
  });
});
