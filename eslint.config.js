/**
 * What the linter enforces beyond the compiler, in three parts: typed rules for promises and unions, the layers of the
 * architecture, and where time, randomness and I/O may come from (`test/house` states the same rules for people).
 */
import { builtinModules } from 'node:module';
import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import { createProjectGraphAsync } from '@nx/devkit';
import tseslint from 'typescript-eslint';

// The layer rule reads Nx's project graph from its cache, and passes everything when there is none. Under `nx run`
// Nx has just written it; `eslint .` by itself computes it first, which takes about a second.
if (process.env['NX_TASK_TARGET_PROJECT'] === undefined) await createProjectGraphAsync({ exitOnError: false });

const TESTS = ['**/*.test.ts', '**/*.test-support.ts', '**/conformance.ts', 'test/**/*.ts'];

/** Packages that may touch the world: they are the adapters behind which everybody else finds it. */
const WORLDLY_PACKAGES = ['runtime', 'bus-nats', 'storage-level', 'storage-redis', 'process'];

const LAYERS = [
  { sourceTag: 'layer:pure', onlyDependOnLibsWithTags: ['layer:pure'] },
  { sourceTag: 'layer:port', onlyDependOnLibsWithTags: ['layer:pure', 'layer:port'] },
  { sourceTag: 'layer:adapter', onlyDependOnLibsWithTags: ['layer:pure', 'layer:port'] },
  {
    allSourceTags: ['layer:engine', '/^package:(?!client$).*$/'],
    onlyDependOnLibsWithTags: ['layer:pure', 'layer:port', 'layer:engine'],
  },
  {
    // The client is an engine that an application holds in its hand: connecting is part of it.
    allSourceTags: ['layer:engine', 'package:client'],
    onlyDependOnLibsWithTags: ['layer:pure', 'layer:port', 'layer:engine', 'package:bus-nats'],
  },
  { sourceTag: 'layer:assembly', onlyDependOnLibsWithTags: ['layer:pure', 'layer:port', 'layer:engine', 'layer:assembly'] },
  {
    sourceTag: 'layer:app',
    onlyDependOnLibsWithTags: ['layer:pure', 'layer:port', 'layer:adapter', 'layer:engine', 'layer:assembly', 'layer:app'],
  },
  { sourceTag: 'layer:workspace', onlyDependOnLibsWithTags: ['*'] },
];

const TIMERS = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'];
const useRuntime = (what) => `${what} is injected: take a Clock, Random or Log from @armature/runtime as an argument.`;

/** node: modules that neither wait, nor reach outside the process, nor differ between two runs. */
const HARMLESS_BUILTINS = ['node:crypto', 'node:buffer', 'node:util', 'node:events', 'node:async_hooks', 'node:zlib'];
const bareBuiltins = builtinModules.filter((name) => !name.startsWith('_') && !name.includes('/'));

const IMPURE_GLOBALS = {
  'no-restricted-globals': [
    'error',
    ...TIMERS.map((name) => ({ name, message: useRuntime('Time') })),
    { name: 'performance', message: useRuntime('Time') },
    { name: 'process', message: 'The process belongs to packages/process and the apps.' },
    { name: 'console', message: useRuntime('Logging') },
    { name: 'fetch', message: 'Talk to peers over the bus port.' },
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: useRuntime('Time') },
    { object: 'Math', property: 'random', message: useRuntime('Randomness') },
    ...[...TIMERS, 'performance', 'process', 'crypto'].map((property) => ({
      object: 'globalThis',
      property,
      message: useRuntime(property),
    })),
  ],
  'no-restricted-imports': [
    'error',
    {
      paths: [
        ...bareBuiltins.map((name) => ({
          name,
          message: 'Write the node: prefix, and only where I/O belongs: runtime, adapters, apps.',
        })),
        {
          name: 'node:crypto',
          allowImportNames: ['createHash', 'createHmac', 'hash', 'hkdfSync', 'timingSafeEqual', 'Hash', 'Hmac'],
          message: 'Hashing is a function of its input and allowed; randomness is injected.',
        },
      ],
      patterns: [
        {
          regex: `^node:(?!(${HARMLESS_BUILTINS.map((name) => name.slice('node:'.length)).join('|')})$)`,
          message: 'I/O belongs to runtime, the adapters and the apps.',
        },
      ],
    },
  ],
};

const NEW_DATE = [
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: useRuntime('Time') },
  { selector: "CallExpression[callee.name='Date']", message: useRuntime('Time') },
];
const PROMISES = [
  { selector: ':function[async=true]', message: 'A pure package has no promises: values in, values out.' },
  { selector: "NewExpression[callee.name='Promise']", message: 'A pure package has no promises: values in, values out.' },
  { selector: "TSTypeReference[typeName.name='Promise']", message: 'A pure package has no promises: values in, values out.' },
];

export default tseslint.config(
  { ignores: ['**/dist/', '**/node_modules/', '.nx/', '.tools/', '.armature*/', 'coverage/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    // One program over everything: a third less work than a project service that opens package after package.
    languageOptions: { parserOptions: { project: ['./tsconfig.lint.json'], tsconfigRootDir: import.meta.dirname } },
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': ['error', { depConstraints: LAYERS, allow: [], enforceBuildableLibDependency: false }],

      eqeqeq: 'error',
      'no-undef': 'off', // the compiler's job, JavaScript under tools/ included
      'no-implicit-coercion': 'error',
      'no-param-reassign': 'error',
      'object-shorthand': 'error',
      'prefer-template': 'error',
      'default-case-last': 'error',
      'no-unreachable-loop': 'error',

      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: true }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/prefer-readonly': 'error',
      // Narrowing does not see what a callback or another turn of the event loop changes, so this one is wrong too often here.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/require-await': 'off', // an async method of a port turns what it throws into a rejection
      '@typescript-eslint/consistent-indexed-object-style': 'off',
      '@typescript-eslint/no-empty-function': 'off', // null objects (a silent log) are made of them
      '@typescript-eslint/non-nullable-type-assertion-style': 'off', // contradicts no-non-null-assertion
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidOperator: true }],
      '@typescript-eslint/no-invalid-void-type': ['error', { allowAsThisParameter: true, allowInGenericTypeArguments: true }],
    },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    ignores: [...WORLDLY_PACKAGES.map((name) => `packages/${name}/**`), ...TESTS],
    rules: { ...IMPURE_GLOBALS, 'no-restricted-syntax': ['error', ...NEW_DATE] },
  },
  {
    files: ['packages/{kernel,ring,versioning,rights}/src/**/*.ts'],
    ignores: TESTS,
    rules: { 'no-restricted-syntax': ['error', ...NEW_DATE, ...PROMISES] },
  },
  {
    // A test may wait for real time and say `!` where its fixture makes it plain; it may not leave a promise behind.
    files: TESTS,
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    // In JavaScript a cast is a comment, which these rules do not see.
    files: ['tools/**/*.mjs'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  { files: ['*.js', '*.ts'], extends: [tseslint.configs.disableTypeChecked] },
);
