/**
 * Whether anything has changed since the last build that succeeded, told by looking at files and not by running the compiler.
 *
 * The stamp of a build is a digest of the path, size and times of each file that goes into it (sources, manifests, settings of
 * the compiler, npm's note of what is installed, which stands for the compiler itself) and of what the compiler notes of its own
 * output. A file that is changed, added or removed changes the stamp. The time of the last change of the file's status is in it
 * too, since tools that copy files can set the time of modification to what it was.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const STAMP_FILE = 'tools/dist/build.stamp';

/** In the root. */
const SETTINGS = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.base.json', 'node_modules/.package-lock.json'];

/**
 * @param {string} root
 * @returns {boolean} whether what is built is what the files are
 */
export function isUpToDate(root) {
  try {
    return readFileSync(join(root, STAMP_FILE), 'utf8') === stampOf(inputsOf(root), root);
  } catch {
    return false; // never built, or a file went away while it was looked at: the compiler will know
  }
}

/**
 * To be called before a build, and what it returns after one that succeeded: a source that is changed meanwhile makes the next
 * build due. @param {string} root @returns {() => void}
 */
export function beginBuild(root) {
  const stampFile = join(root, STAMP_FILE);
  rmSync(stampFile, { force: true });
  const inputs = inputsOf(root);
  return () => {
    mkdirSync(dirname(stampFile), { recursive: true });
    writeFileSync(stampFile, stampOf(inputs, root));
  };
}

/**
 * @param {string} inputs
 * @param {string} root
 */
function stampOf(inputs, root) {
  const outputs = projectsOf(root).flatMap((project) =>
    filesIn(root, join(project, 'dist'), (name) => name.endsWith('.tsbuildinfo')),
  );
  return createHash('sha256').update(inputs).update(factsOf(root, outputs)).digest('hex');
}

/** @param {string} root */
function inputsOf(root) {
  const isSetting = (/** @type {string} */ name) => name === 'package.json' || /^tsconfig.*\.json$/.test(name);
  const paths = projectsOf(root).flatMap((project) => [
    ...filesIn(root, project, isSetting),
    ...filesIn(root, join(project, 'src'), () => true, true),
  ]);
  return factsOf(root, [...SETTINGS, ...paths]);
}

/** @param {string} root */
function projectsOf(root) {
  const members = ['packages', 'apps'].flatMap((parent) => entriesOf(join(root, parent)).map(({ name }) => join(parent, name)));
  return [...members, 'tools'];
}

/**
 * @param {string} root
 * @param {string} directory
 * @param {(name: string) => boolean} accepts
 * @param {boolean} [isDeep]
 * @returns {string[]} paths from the root on
 */
function filesIn(root, directory, accepts, isDeep = false) {
  return entriesOf(join(root, directory)).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return isDeep ? filesIn(root, path, accepts, true) : [];
    return accepts(entry.name) ? [path] : [];
  });
}

/** @param {string} directory */
function entriesOf(directory) {
  try {
    return readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return []; // not there
  }
}

/**
 * @param {string} root
 * @param {readonly string[]} paths
 */
function factsOf(root, paths) {
  return paths
    .map((path) => {
      const facts = statSync(join(root, path), { throwIfNoEntry: false });
      return `${path} ${facts?.size} ${facts?.mtimeMs} ${facts?.ctimeMs}\n`;
    })
    .join('');
}
