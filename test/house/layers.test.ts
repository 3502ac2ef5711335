/**
 * The layers of docs/ARCHITECTURE.md, on the import graph as it is. The linter says the same while you type; this says it
 * without Nx, and looks at manifests too.
 */
import { builtinModules } from 'node:module';
import { expect, test } from 'vitest';
import { packageOfSpecifier, readManifest, readPackages, resolveRelative, type Package } from './workspace.js';

const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  pure: ['pure'],
  port: ['pure', 'port'],
  adapter: ['pure', 'port'],
  engine: ['pure', 'port', 'engine'],
  assembly: ['pure', 'port', 'engine', 'assembly'],
  app: ['pure', 'port', 'adapter', 'engine', 'assembly', 'app'],
};

/** The client is an engine that an application holds in its hand: connecting is part of it. */
const EXCEPTIONS: ReadonlySet<string> = new Set(['@armature/client -> @armature/bus-nats']);

const packages = readPackages();
const byName = new Map(packages.map((each) => [each.manifest.name, each]));
const rootDevDependencies = Object.keys(readManifest('.').devDependencies ?? {});

/** Names of the workspace packages that a package's files import. */
function importedPackages(from: Package): Set<string> {
  const names = from.sources.flatMap(({ imports }) => imports.map(packageOfSpecifier));
  return new Set(names.filter((name) => name !== undefined && byName.has(name) && name !== from.manifest.name) as string[]);
}

test('every package has exactly one known layer', () => {
  const findings = packages
    .filter(
      ({ layer, manifest }) =>
        layer === undefined ||
        !(layer in MAY_IMPORT) ||
        manifest.nx?.tags?.filter((tag) => tag.startsWith('layer:')).length !== 1,
    )
    .map(({ directory }) => `${directory}/package.json: nx.tags needs one of ${Object.keys(MAY_IMPORT).join(', ')} as layer:...`);
  expect(findings).toEqual([]);
});

test('imports point down the layers only', () => {
  const findings = packages.flatMap((from) =>
    from.sources.flatMap(({ path, imports }) =>
      imports.flatMap((specifier) => {
        const to = byName.get(packageOfSpecifier(specifier) ?? '');
        if (to === undefined || from.layer === undefined || to.layer === undefined || to === from) return [];
        if (MAY_IMPORT[from.layer]?.includes(to.layer) === true) return [];
        if (EXCEPTIONS.has(`${from.manifest.name} -> ${to.manifest.name}`)) return [];
        return [
          `${path} imports ${specifier}: layer ${from.layer} may not import layer ${to.layer}; take it as an argument, behind a port`,
        ];
      }),
    ),
  );
  expect(findings).toEqual([]);
});

test('no package reaches itself through others', () => {
  const findings: string[] = [];
  const finished = new Set<string>();
  const visit = (name: string, trail: readonly string[]): void => {
    if (trail.includes(name)) {
      findings.push([...trail.slice(trail.indexOf(name)), name].join(' -> '));
      return;
    }
    if (finished.has(name)) return;
    const current = byName.get(name);
    for (const next of current === undefined ? [] : importedPackages(current)) visit(next, [...trail, name]);
    finished.add(name);
  };
  for (const name of byName.keys()) visit(name, []);
  expect(findings).toEqual([]);
});

test('every imported package is declared, and every declared workspace package is imported', () => {
  const findings = packages.flatMap((from) => {
    const { dependencies = {}, devDependencies = {}, peerDependencies = {} } = from.manifest;
    const declared = new Set([...Object.keys(dependencies), ...Object.keys(peerDependencies)]);
    const undeclared = from.sources.flatMap(({ path, imports, isTest }) =>
      imports.flatMap((specifier) => {
        const name = packageOfSpecifier(specifier);
        if (name === undefined || name === from.manifest.name || declared.has(name) || builtinModules.includes(name)) return [];
        const fromRoot = isTest || path.endsWith('/conformance.ts');
        if (fromRoot && (name in devDependencies || rootDevDependencies.includes(name))) return [];
        return [`${path} imports ${specifier}, which ${from.directory}/package.json does not declare`];
      }),
    );
    const imported = importedPackages(from);
    const unused = Object.keys(dependencies)
      .filter((name) => byName.has(name) && !imported.has(name))
      .map((name) => `${from.directory}/package.json declares ${name}, which nothing in src imports`);
    return [...undeclared, ...unused];
  });
  expect(findings).toEqual([]);
});

test('packages meet through their doors: no relative import leaves a package, no deep import enters one', () => {
  const findings = packages.flatMap((from) =>
    from.sources.flatMap((source) =>
      source.imports.flatMap((specifier) => {
        if (specifier.startsWith('.')) {
          const inside = resolveRelative(source, specifier).startsWith(`${from.directory}/src/`);
          return inside ? [] : [`${source.path} imports ${specifier}, outside its package: import @armature/... instead`];
        }
        const to = byName.get(packageOfSpecifier(specifier) ?? '');
        if (to === undefined) return [];
        const door = `.${specifier.slice(to.manifest.name.length)}`;
        return door in (to.manifest.exports ?? {})
          ? []
          : [`${source.path} imports ${specifier}, which ${to.manifest.name} does not export`];
      }),
    ),
  );
  expect(findings).toEqual([]);
});
