import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '@armature/kernel';
import { describe, expect, test } from 'vitest';
import { workspaceRoot } from '../workspace-root.js';
import { Fuzzer } from './fuzzer.js';
import { TARGETS } from './targets/index.js';

const ROOT = workspaceRoot(import.meta.dirname);

/** What turns bytes or texts of somebody else's into values is called like this. */
const DECODER =
  /^(decode|parse|parsed$|read[A-Z]|open(Context|Token|Record)|verify|unseal|peekToken|load(Secrets|Token)|from(Hex|Base64|BinaryString)|utf8Decode|exactUtf8Decode)|(FromByte|FromText)$/;

/** Exported, called like a decoder, and none that anybody outside can feed, each with the reason. */
const EXEMPT: Readonly<Record<string, string>> = {
  'coordination/readQuorum': 'numbers that are checked already',
  'process/readHttpTokens': 'a file of its owner, split into lines; `bearsToken`, which strangers feed, is in settings',
  'process/readServiceCommand': 'arguments by the parser of commander; what they become is in settings',
  'replica/readHeld': 'a read of a store; what it holds is in stored',
  'cli/readQuorums': 'options of the command line, whose texts are in command-line',
};

interface Exported {
  readonly name: string;
  readonly file: string;
}

function exportedDecoders(): readonly Exported[] {
  return ['packages', 'apps'].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).flatMap((pack) =>
      sourcesOf(join(ROOT, folder, pack, 'src')).flatMap((file) =>
        [...readFileSync(file, 'utf8').matchAll(/^export (?:async )?(?:function|const) (\w+)/gm)].flatMap(([, name = '']) =>
          DECODER.test(name) ? [{ name: `${pack}/${name}`, file }] : [],
        ),
      ),
    ),
  );
}

function sourcesOf(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(({ name }) => name.endsWith('.ts') && !/\.(test|test-support|bench)\.ts$/.test(name))
    .map(({ name, parentPath }) => join(parentPath, name));
}

describe('targets', () => {
  const covered = new Set(TARGETS.flatMap(({ covers }) => covers));
  const decoders = exportedDecoders();

  test('every exported decoder is in a target, or on the list of those that nobody outside can feed', () => {
    expect(decoders.length).toBeGreaterThan(60);
    const missing = decoders.filter(({ name }) => !covered.has(name) && !(name in EXEMPT)).map(({ name }) => name);
    expect(missing).toEqual([]);
  });

  test('the list of exceptions has no decoder that is gone', () => {
    const names = new Set(decoders.map(({ name }) => name));
    const gone = Object.keys(EXEMPT).filter((name) => !names.has(name) && DECODER.test(name.split('/')[1] ?? ''));
    expect(gone).toEqual([]);
  });

  test('what a target says it covers is declared somewhere in that package', () => {
    const claims = [...covered].filter((claim) => {
      const [pack = '', name = ''] = claim.split('/');
      const folder = ['packages', 'apps'].map((one) => join(ROOT, one, pack, 'src')).find((one) => sources(one).length > 0);
      return (
        folder === undefined ||
        !sources(folder).some((file) =>
          new RegExp(`^(export )?(async )?(function\\*?|const|class) ${name}\\b`, 'm').test(readFileSync(file, 'utf8')),
        )
      );
    });
    expect(claims).toEqual([]);
  });

  test.each(TARGETS)(
    '$name: takes some of its seeds, refuses some mutations, and does the same again from the same seed',
    async (target) => {
      const outcomes = async (): Promise<readonly number[]> => {
        const fuzzer = new Fuzzer(target, 63_000);
        expect(await fuzzer.begin(() => undefined)).toBeUndefined();
        const ofSeeds = fuzzer.outcomes;
        expect(await fuzzer.run(1_000, () => undefined)).toBeUndefined();
        return [ofSeeds, fuzzer.outcomes, fuzzer.runs];
      };
      const first = await outcomes();
      expect(first[0]).toBeGreaterThan(0);
      expect(first[1]).toBeGreaterThan(first[0] as number);
      expect(await outcomes()).toEqual(first);
    },
  );

  test('the names are words of their own, and each is told in a few', () => {
    expect(new Set(TARGETS.map(({ name }) => name)).size).toBe(TARGETS.length);
    for (const { name, what, seeds } of TARGETS) {
      expect(name).toMatch(/^[a-z][a-z-]+$/);
      expect(what.length).toBeGreaterThan(20);
      expect(seeds(seededRandom(1)).length).toBeGreaterThan(0);
    }
  });
});

function sources(folder: string): readonly string[] {
  try {
    return sourcesOf(folder);
  } catch {
    return [];
  }
}
