/**
 * The workspace as the house rules see it: packages with their manifests, source files with their imports.
 *
 * Files are read once per test file. Imports come from the TypeScript scanner (`preProcessFile`), which sees static,
 * dynamic and re-exporting ones, and nothing in comments or strings.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve } from 'node:path';
import ts from 'typescript';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface Manifest {
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  readonly license?: string;
  readonly type?: string;
  readonly private?: boolean;
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly nx?: { readonly tags?: readonly string[] };
}

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Module specifiers as written. */
  readonly imports: readonly string[];
  /** Whether only tests use it: `*.test.ts`, `*.test-support.ts`. */
  readonly isTest: boolean;
}

export interface Package {
  /** Relative to the root: `packages/ring`. */
  readonly directory: string;
  readonly manifest: Manifest;
  /** `pure`, `port`, ... ; undefined where the tag is missing. */
  readonly layer: string | undefined;
  readonly sources: readonly SourceFile[];
}

const GENERATED = new Set(['node_modules', 'dist', '.git', '.nx', '.tools', '.armature', 'coverage']);

/** Paths, relative to the root, of all files under a directory that people write, in a stable order. */
export function filesUnder(directory: string, accepts: (path: string) => boolean): string[] {
  const absolute = join(ROOT, directory);
  if (!existsSync(absolute)) return [];
  return readdirSync(absolute, { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = posix.join(directory, entry.name);
      if (entry.isDirectory()) return GENERATED.has(entry.name) ? [] : filesUnder(path, accepts);
      return accepts(path) ? [path] : [];
    });
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function readManifest(directory: string): Manifest {
  return JSON.parse(readText(posix.join(directory, 'package.json'))) as Manifest;
}

export function readSource(path: string): SourceFile {
  const text = readText(path);
  const imports = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
  return { path, text, imports, isTest: /\.test(-support)?\.ts$/.test(path) };
}

/** Every package below `packages/` and `apps/`. */
export function readPackages(): Package[] {
  return ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(ROOT, parent))
      .toSorted()
      .filter((name) => existsSync(join(ROOT, parent, name, 'package.json')))
      .map((name): Package => {
        const directory = `${parent}/${name}`;
        const manifest = readManifest(directory);
        const layer = manifest.nx?.tags?.find((tag) => tag.startsWith('layer:'))?.slice('layer:'.length);
        const sources = filesUnder(`${directory}/src`, (path) => path.endsWith('.ts')).map(readSource);
        return { directory, manifest, layer, sources };
      }),
  );
}

/** The file that a relative import means, as a path relative to the root: `./x.js` is written for `x.ts`. */
export function resolveRelative(from: SourceFile, specifier: string): string {
  const target = relative(ROOT, resolve(join(ROOT, dirname(from.path)), specifier)).replaceAll('\\', '/');
  return target.replace(/\.js$/, '.ts');
}

/** `@armature/bus/conformance` -> `@armature/bus`; `level` -> `level`; undefined for relative and node: imports. */
export function packageOfSpecifier(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined;
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0];
}
