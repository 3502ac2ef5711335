/**
 * Time, randomness and I/O are arguments everywhere but in the adapters: the condition under which a whole cluster runs in
 * virtual time from one seed. One stray `Date.now` and a failing seed no longer fails twice.
 */
import ts from 'typescript';
import { expect, test } from 'vitest';
import { readPackages, type SourceFile } from './workspace.js';

/** Behind these packages everybody else finds the world. */
const WORLDLY = new Set([
  'packages/runtime',
  'packages/bus-nats',
  'packages/storage-level',
  'packages/storage-redis',
  'packages/process',
]);

const GLOBALS = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'performance',
  'process',
  'console',
  'fetch',
]);
const MEMBERS = new Set(['Date.now', 'Math.random', 'crypto.randomUUID', 'crypto.getRandomValues']);
const HARMLESS_MODULES = new Set(['node:crypto', 'node:buffer', 'node:util', 'node:events', 'node:async_hooks', 'node:zlib']);

const restricted = readPackages()
  .filter(({ directory }) => directory.startsWith('packages/') && !WORLDLY.has(directory))
  .flatMap(({ sources }) => sources)
  .filter(({ isTest, path }) => !isTest && !path.endsWith('/conformance.ts'));

/** A bare use of a name: neither a member's name (`clock.setTimeout`) nor a declaration's. */
function isBareUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isQualifiedName(parent)) {
    return (ts.isPropertyAccessExpression(parent) ? parent.expression : parent.left) === node;
  }
  const declares =
    ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isGetAccessorDeclaration(parent) ||
    ts.isParameter(parent) ||
    ts.isVariableDeclaration(parent) ||
    ts.isBindingElement(parent) ||
    ts.isImportSpecifier(parent);
  return !(declares && parent.name === node);
}

function impurities(source: SourceFile): string[] {
  const file = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true);
  const findings: string[] = [];
  const find = (node: ts.Node, what: string): void => {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart());
    findings.push(`${source.path}:${line + 1} uses ${what}: take it from @armature/runtime, injected`);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && GLOBALS.has(node.text) && isBareUse(node)) find(node, node.text);
    if (ts.isPropertyAccessExpression(node) && MEMBERS.has(node.getText())) find(node, node.getText());
    if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0)
      find(node, 'new Date()');
    ts.forEachChild(node, visit);
  };
  visit(file);
  return findings;
}

test('time, timers, randomness and the process are injected', () => {
  expect(restricted.flatMap(impurities)).toEqual([]);
});

test('only runtime, adapters and apps import node: modules that do I/O', () => {
  const findings = restricted.flatMap(({ path, imports }) =>
    imports
      .filter((specifier) => specifier.startsWith('node:') && !HARMLESS_MODULES.has(specifier))
      .map((specifier) => `${path} imports ${specifier}: put it behind a port`),
  );
  expect(findings).toEqual([]);
});

test('no file switches these rules off in the linter', () => {
  const findings = restricted
    .filter(({ text }) => /eslint-disable[^\n]*(no-restricted|enforce-module-boundaries)/.test(text))
    .map(({ path }) => `${path} disables a house rule: inject what it needs instead`);
  expect(findings).toEqual([]);
});

test('pure packages have no promises', () => {
  const pure = readPackages()
    .filter(({ layer }) => layer === 'pure')
    .flatMap(({ sources }) => sources)
    .filter(({ isTest }) => !isTest);
  const findings = pure
    .filter(({ path, text }) => {
      const waits = (node: ts.Node): boolean =>
        node.kind === ts.SyntaxKind.AsyncKeyword ||
        (ts.isIdentifier(node) && node.text === 'Promise') ||
        ts.forEachChild(node, waits) === true;
      return waits(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
    })
    .map(({ path }) => `${path} waits: a pure package takes values and gives values`);
  expect(findings).toEqual([]);
});
