/** A source file as the ways see it: its functions by name, what each calls, and what the file imports. */
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';

export interface FoundFunction {
  /** Names of the functions called anywhere within it, closures included. */
  readonly calls: ReadonlySet<string>;
  readonly parameters: ReadonlySet<string>;
}

export interface Room {
  readonly functions: ReadonlyMap<string, readonly FoundFunction[]>;
  /** Files of the same package. */
  readonly files: ReadonlySet<string>;
  /** By short name of another package (`bus`), what is imported through its door. */
  readonly packages: ReadonlyMap<string, ReadonlySet<string>>;
  /** Of a door: the file behind each name. */
  readonly shown: ReadonlyMap<string, string>;
}

/** `room`: `client/bucket.ts`. */
export function readRoom(root: string, room: string): Room {
  const path = room.replace('/', '/src/');
  return parseRoom(room, readFileSync(posix.join(root, 'packages', path), 'utf8'));
}

export function parseRoom(room: string, text: string): Room {
  const tree = ts.createSourceFile(room, text, ts.ScriptTarget.Latest, true);
  const functions = new Map<string, FoundFunction[]>();
  const files = new Set<string>();
  const packages = new Map<string, Set<string>>();
  const shown = new Map<string, string>();
  const fileAt = (specifier: string): string => posix.join(posix.dirname(room), specifier).replace(/\.js$/, '.ts');
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const { text: from } = node.moduleSpecifier;
      const [, name] = /^@armature\/([^/]+)$/.exec(from) ?? [];
      if (name !== undefined) packages.set(name, new Set([...(packages.get(name) ?? []), ...importedNames(node)]));
      else if (from.startsWith('.')) files.add(fileAt(from));
    }
    if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
      const { exportClause, moduleSpecifier } = node;
      const names = exportClause !== undefined && ts.isNamedExports(exportClause) ? exportClause.elements : [];
      for (const { name } of names) shown.set(name.text, fileAt(moduleSpecifier.text));
    }
    const named = namedFunction(node);
    if (named !== undefined) functions.set(named.name, [...(functions.get(named.name) ?? []), found(named.declaration)]);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return { functions, files, packages, shown };
}

function importedNames({ importClause }: ts.ImportDeclaration): string[] {
  const named = importClause?.namedBindings;
  if (named === undefined || !ts.isNamedImports(named)) return [];
  return named.elements.map(({ name, propertyName }) => (propertyName ?? name).text);
}

/** A function declaration, a method, or a closure that a variable or a property is named after. */
function namedFunction(node: ts.Node): { readonly name: string; readonly declaration: ts.FunctionLikeDeclaration } | undefined {
  if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node))
    return node.name === undefined || node.body === undefined ? undefined : { name: node.name.getText(), declaration: node };
  if (!ts.isPropertyAssignment(node) && !ts.isVariableDeclaration(node) && !ts.isPropertyDeclaration(node)) return undefined;
  const { initializer } = node;
  if (initializer === undefined || (!ts.isArrowFunction(initializer) && !ts.isFunctionExpression(initializer))) return undefined;
  return { name: node.name.getText(), declaration: initializer };
}

function found(declaration: ts.FunctionLikeDeclaration): FoundFunction {
  const calls = new Set<string>();
  const visit = (node: ts.Node): void => {
    const name = ts.isCallExpression(node) ? calleeName(node.expression) : undefined;
    if (name !== undefined) calls.add(name);
    ts.forEachChild(node, visit);
  };
  visit(declaration);
  return { calls, parameters: new Set(declaration.parameters.map(({ name }) => name.getText())) };
}

/** `replicate` of `replicate()`, `#ask` of `this.#ask()`, `#handler` of `(this.#handler as Handler)()`. */
function calleeName(callee: ts.Expression): string | undefined {
  if (ts.isParenthesizedExpression(callee) || ts.isAsExpression(callee)) return calleeName(callee.expression);
  if (ts.isPropertyAccessExpression(callee)) return callee.name.text;
  return ts.isIdentifier(callee) ? callee.text : undefined;
}
