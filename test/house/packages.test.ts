/**
 * What every package promises in its manifest, so that each can be used by itself.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '@armature/kernel';
import { expect, test } from 'vitest';
import { readManifest, readPackages, readText, ROOT } from './workspace.js';

const packages = readPackages();
const root = readManifest('.');

test('every package has a description and a README with an example', () => {
  const findings = packages.flatMap(({ directory, manifest }) => {
    const readme = `${directory}/README.md`;
    if ((manifest.description ?? '').length < 10) return [`${directory}/package.json needs a description of one sentence`];
    if (!existsSync(join(ROOT, readme))) return [`${readme} is missing: what it is, an example, its guarantees, what is absent`];
    return readText(readme).includes('```') ? [] : [`${readme} has no example`];
  });
  expect(findings).toEqual([]);
});

test('every package is an ES module with the version and licence of the whole', () => {
  const findings = packages.flatMap(({ directory, manifest }) => [
    ...(manifest.type === 'module' ? [] : [`${directory}: type should be "module"`]),
    ...(manifest.version === root.version ? [] : [`${directory}: version should be ${root.version}`]),
    ...(manifest.license === root.license ? [] : [`${directory}: license should be ${root.license}`]),
  ]);
  expect(findings).toEqual([]);
});

test('programs tell the version that the manifests have', () => {
  expect(VERSION).toBe(root.version);
});

test('every door is named for development, for types and for Node, in that order', () => {
  const findings = packages.flatMap(({ directory, manifest }) =>
    Object.entries(manifest.exports ?? {}).flatMap(([door, conditions]) => {
      const file = conditions['@armature/source']?.replace('./src/', '').replace(/\.ts$/, '');
      const wanted = { '@armature/source': `./src/${file}.ts`, types: `./dist/${file}.d.ts`, default: `./dist/${file}.js` };
      const isRight = JSON.stringify(conditions) === JSON.stringify(wanted);
      return isRight ? [] : [`${directory}: exports["${door}"] should be ${JSON.stringify(wanted)}`];
    }),
  );
  expect(findings).toEqual([]);
});

test('workspace packages depend on one another at the version of the whole', () => {
  const names = new Set(packages.map(({ manifest }) => manifest.name));
  const findings = packages.flatMap(({ directory, manifest }) =>
    Object.entries(manifest.dependencies ?? {})
      .filter(([name, version]) => names.has(name) && version !== root.version)
      .map(([name, version]) => `${directory}: ${name} is ${version}, not ${root.version}`),
  );
  expect(findings).toEqual([]);
});

test('the compiler is told about every package, and about what each may see', () => {
  const references = (path: string): string[] =>
    (JSON.parse(readText(path)) as { references?: { path: string }[] }).references?.map((reference) => reference.path) ?? [];
  const known = references('tsconfig.json');
  const findings = packages.flatMap(({ directory, manifest }) => {
    const seen = references(`${directory}/tsconfig.lib.json`);
    return [
      ...(known.includes(directory) ? [] : [`tsconfig.json does not reference ${directory}`]),
      ...Object.keys(manifest.dependencies ?? {})
        .filter((name) => name.startsWith('@armature/'))
        .map((name) => packages.find((each) => each.manifest.name === name)?.directory ?? name)
        .filter((dependency) => !seen.some((path) => join(directory, path) === `${dependency}/tsconfig.lib.json`))
        .map((dependency) => `${directory}/tsconfig.lib.json does not reference ${dependency}/tsconfig.lib.json`),
    ];
  });
  expect(findings).toEqual([]);
});
