/** Whatever characters a secret has, nothing that is printed, logged or answered shows it. */
import * as fc from 'fast-check';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toArmatureError } from '@armature/kernel';
import { readNatsOptions } from '@armature/bus-nats';
import { connectionSettings, KNOWN_SETTINGS, nodeSettings, secretSettings, serviceSettings, tokenSettings } from './catalogue.js';
import { loadSecrets } from './cluster-secret.js';
import { parseConfig } from './config-file.js';
import { readHttpTokens } from './http-tokens.js';
import { errorDocument, renderError } from './render-error.js';
import { resolveSettings } from './resolve-settings.js';
import { readServiceCommand } from './service-command.js';
import { serviceLog } from './service-log.js';
import { renderSettings, shownSettings } from './show-settings.js';

const shape = { ...nodeSettings, ...connectionSettings, ...secretSettings, ...tokenSettings, ...serviceSettings };
const directory = mkdtempSync(join(tmpdir(), 'armature-shown-'));
const [HEAD, TAIL] = ['Zq9w', 'w9qZ'];

/** Two marks by which it is found, and between them what is awkward in URLs, JSON, regular expressions, shells and terminals. */
const awkward = fc.constantFrom(
  ...Array.from(`@/:?#%,;&=+"'\\\`$^*()[]{}|<>~!. \t`),
  '%2F',
  '://',
  '\u001b[2J',
  'ü',
  '你',
  '\u202e',
  '@@',
  '\r',
  '\n',
);
const secret = fc
  .array(fc.oneof(awkward, fc.string({ maxLength: 3 })), { maxLength: 8 })
  .map((parts) => HEAD + parts.join('') + TAIL);

/** Everything that is said where this fails, in all forms in which errors are told; nothing where it does not fail. */
function said(attempt: () => unknown): string {
  try {
    return JSON.stringify(attempt()) ?? '';
  } catch (thrown) {
    const error = toArmatureError(thrown);
    const lines: string[] = [];
    const log = (format: 'json' | 'pretty') =>
      serviceLog({ level: 'debug', format, isTerminal: true, base: {}, write: (line) => lines.push(line) });
    for (const format of ['json', 'pretty'] as const) log(format).error({ err: error, error }, 'it failed');
    return [renderError(error, { color: false, debug: true }), JSON.stringify(errorDocument(error, true)), ...lines].join('\n');
  }
}

function expectHidden(text: string): void {
  expect(text).not.toContain(HEAD);
  expect(text).not.toContain(TAIL);
}

test('the settings that are in force', () => {
  fc.assert(
    fc.property(secret, (word) => {
      const env = {
        ARMATURE_SECRET: word,
        ARMATURE_TOKEN: word,
        NATS_PASSWORD: word,
        NATS_TOKEN: word,
        NATS_URL: `nats://u:${word}@h:1`,
        ARMATURE_NAME: 'n1',
      };
      const shown = shownSettings(shape, resolveSettings(shape, { flags: {}, env, file: undefined }));
      expectHidden(renderSettings(shown) + JSON.stringify(shown));
    }),
  );
});

test('settings that are refused, from the environment and from a file', () => {
  fc.assert(
    fc.property(secret, fc.constantFrom('natsPassword', 'secret', 'nats', 'redisUrl'), (word, name) => {
      const value = name === 'nats' || name === 'redisUrl' ? [`nats://u:${word}@h:1`] : [word];
      const text = JSON.stringify({ name: 'n1', [name]: value });
      const resolve = (values: Readonly<Record<string, unknown>>) =>
        resolveSettings(shape, { flags: {}, env: {}, file: { path: 'c.json', values } });
      expectHidden(said(() => shownSettings(shape, resolve(parseConfig('c.json', text, KNOWN_SETTINGS)))));
      expectHidden(said(() => parseConfig('c.json', `${text}${word}`, KNOWN_SETTINGS)));
      expectHidden(said(() => parseConfig('c.json', text.slice(0, -2), KNOWN_SETTINGS)));
    }),
  );
});

test('URLs of servers that are refused', () => {
  fc.assert(
    fc.property(secret, fc.constantFrom('nats', 'tls', 'http', 'ws'), (word, scheme) => {
      const url = `${scheme}://u:${word}@h:1`;
      for (const server of [url, `nats://h:1,${url}`, `nats://h:x,${url}`])
        expectHidden(said(() => readNatsOptions({ server }, {}).servers));
    }),
  );
});

test('secrets and tokens that cannot be used, in the environment and in files', () => {
  const file = join(directory, 'file');
  fc.assert(
    fc.property(secret, (word) => {
      for (const text of [`${word}\n${word}x\n${word}y`, `${word.slice(0, 10)}\n`]) {
        writeFileSync(file, text, { mode: 0o600 });
        expectHidden(said(() => loadSecrets({ secretFile: file, secret: undefined }) && undefined));
        expectHidden(said(() => loadSecrets({ secretFile: undefined, secret: text }) && undefined));
        expectHidden(said(() => readHttpTokens(file) && undefined));
      }
    }),
    { numRuns: 50 },
  );
});

test('secrets that somebody gives as arguments are refused, with what to do instead', () => {
  const spec = { command: 'armature-node', version: '1', description: 'A node.', shape, examples: [] };
  fc.assert(
    fc.property(
      secret,
      fc.constantFrom('--secret', '--nats-password', '--nats-token', '--token', '--secretfile', '--Secret'),
      (word, flag) => {
        for (const args of [[`${flag}=${word}`], [flag, word], ['--name', 'n1', `${flag}=${word}`, '--show-config']]) {
          const ended = readServiceCommand(spec, args, {}, false);
          if (ended.kind !== 'exit') throw new Error('it was to be refused');
          expect(ended.code).toBe(2);
          expectHidden(ended.stdout + ended.stderr);
          if (flag === '--secret') expect(ended.stderr).toMatch(/list of processes[^]*--secret-file, ARMATURE_SECRET/);
        }
      },
    ),
    { numRuns: 50 },
  );
});
