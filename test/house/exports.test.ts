/**
 * What is exported is imported. A door shows only what somebody outside of the package takes through it, so that it tells what
 * the package is for; within a package, a function, class or constant that no other file imports is not exported. Types may be:
 * they name what exported functions take and return.
 */
import ts from 'typescript';
import { expect, test } from 'vitest';
import { filesUnder, readPackages, readSource, readText, resolveRelative, type SourceFile } from './workspace.js';

/** Applications and their authors import these: all that their doors show is for them. */
const PUBLIC = new Set(['@armature/client', '@armature/testing']);

/** Names at doors that nobody writes, and why they must be there all the same. */
const NAMED_BY_DECLARATIONS = [
  '@armature/process Setting', // the settings of each program are made of it
  '@armature/runtime LogEntry', // what `recordingLog` returns holds them
  '@armature/bus/conformance BusHarness',
  '@armature/bus/conformance ConformanceCase',
  '@armature/storage/conformance EngineFixture',
];

/** The paper's own clocks (section 4.4), for applications that want to compare. */
const OF_THE_PAPER = [
  ...[
    'ClockedVersion',
    'EMPTY_VECTOR_CLOCK',
    'PAPER_TRUNCATION_THRESHOLD',
    'VectorClock',
    'VectorClockEntry',
    'compareVectorClocks',
  ],
  ...['incrementVectorClock', 'mergeVectorClocks', 'reconcileVectorClocks', 'truncateVectorClock'],
].map((name) => `@armature/versioning ${name}`);

interface Taken {
  readonly by: string;
  /** The file, or the specifier of another package. */
  readonly from: string;
  /** `*`: all, or nobody can tell. */
  readonly name: string;
}

const packages = readPackages();
const sources: readonly SourceFile[] = [
  ...packages.flatMap((one) => one.sources),
  ...['tools', 'test', 'examples']
    .flatMap((directory) => filesUnder(directory, (path) => /\.(ts|mjs)$/.test(path)))
    .map(readSource),
];
const trees = new Map(
  sources.map((source) => [
    source.path,
    { source, tree: ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true) },
  ]),
);
const taken = [...trees.values()].flatMap(({ source, tree }) => takenBy(source, tree)).concat(takenByDocuments());

/** Imports and re-exports of a file, dynamic ones too. */
function takenBy(source: SourceFile, tree: ts.SourceFile): Taken[] {
  const found: Taken[] = [];
  const add = (specifier: string, names: readonly string[]): void => {
    const from = specifier.startsWith('.') ? resolveRelative(source, specifier) : specifier;
    found.push(...names.map((name) => ({ by: source.path, from, name })));
  };
  const namesOf = (elements: readonly (ts.ImportSpecifier | ts.ExportSpecifier)[]): string[] =>
    elements.map(({ name, propertyName }) => (propertyName ?? name).text);
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const named = node.importClause?.namedBindings;
      if (named !== undefined) add(node.moduleSpecifier.text, ts.isNamedImports(named) ? namesOf(named.elements) : ['*']);
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
      const { exportClause } = node;
      add(
        node.moduleSpecifier.text,
        exportClause !== undefined && ts.isNamedExports(exportClause) ? namesOf(exportClause.elements) : ['*'],
      );
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments;
      if (specifier !== undefined && ts.isStringLiteral(specifier)) add(specifier.text, ['*']);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
      add(node.argument.literal.text, [node.qualifier?.getText().split('.')[0] ?? '*']);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** Programs in READMEs are importers, too. */
function takenByDocuments(): Taken[] {
  const documents = ['.', ...packages.map(({ directory }) => directory)].map((directory) => `${directory}/README.md`);
  return documents.flatMap((by) =>
    [...readText(by).matchAll(/import (?:type )?\{([^}]*)\} from '(@armature\/[^']+)'/g)].flatMap(([, names = '', from = '']) =>
      names.split(',').map((name) => ({
        by,
        from,
        name:
          name
            .trim()
            .replace(/^type /, '')
            .split(' as ')[0] ?? '',
      })),
    ),
  );
}

/** Names that a file exports, of its own or of other files. */
function namesOf(path: string): string[] {
  const tree = trees.get(path)?.tree;
  if (tree === undefined) return [];
  return tree.statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement)) return declared(statement, () => true);
    const { exportClause, moduleSpecifier } = statement;
    if (exportClause !== undefined)
      return ts.isNamedExports(exportClause) ? exportClause.elements.map(({ name }) => name.text) : [exportClause.name.text];
    return moduleSpecifier !== undefined && ts.isStringLiteral(moduleSpecifier)
      ? namesOf(resolveRelative(readSource(path), moduleSpecifier.text))
      : [];
  });
}

function declared(statement: ts.Statement, counts: (statement: ts.Statement) => boolean): string[] {
  const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
  if (modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) !== true || !counts(statement)) return [];
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => name.getText());
  const { name } = statement as ts.Statement & { readonly name?: ts.Identifier };
  return name === undefined ? [] : [name.text];
}

test('every name at a door is imported by somebody outside of the package', () => {
  const findings = packages.flatMap(({ directory, manifest }) =>
    Object.entries(manifest.exports ?? {}).flatMap(([door, conditions]) => {
      if (PUBLIC.has(manifest.name) || directory.startsWith('apps/')) return [];
      const specifier = manifest.name + door.slice(1);
      const outside = new Set(
        taken.filter(({ by, from }) => from === specifier && !by.startsWith(`${directory}/src/`)).map(({ name }) => name),
      );
      return namesOf(`${directory}/${(conditions['@armature/source'] ?? '').slice(2)}`)
        .filter((name) => !outside.has(name) && !outside.has('*'))
        .map((name) => `${specifier} ${name}`);
    }),
  );
  expect(findings.toSorted()).toEqual([...NAMED_BY_DECLARATIONS, ...OF_THE_PAPER].toSorted());
});

test('every exported function, class and constant is imported by another file', () => {
  const isValue = (statement: ts.Statement): boolean =>
    !ts.isInterfaceDeclaration(statement) && !ts.isTypeAliasDeclaration(statement);
  const used = new Set(taken.map(({ from, name }) => `${from} ${name}`));
  const findings = packages
    .flatMap((one) => one.sources.filter(({ path }) => !path.endsWith('.test.ts')))
    .flatMap(({ path }) =>
      (trees.get(path)?.tree.statements ?? [])
        .flatMap((statement) => declared(statement, isValue))
        .map((name) => `${path} ${name}`),
    )
    .filter((one) => !used.has(one) && !used.has(`${one.split(' ')[0]} *`));
  expect(findings).toEqual([]);
});
