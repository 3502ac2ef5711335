import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArmatureError, ERROR_CODES, toArmatureError, utf8Encode, type ErrorCode } from '@armature/kernel';
import { recordingLog } from '@armature/runtime';
import { describe, expect, test } from 'vitest';
import { connectionSettings } from './catalogue.js';
import { loadSecrets, requireSecrets } from './cluster-secret.js';
import { EXIT, EXIT_CODE_TEXTS, exitCodeOf } from './exit-codes.js';
import { loadToken } from './own-token.js';
import { natsServerOptions } from './nats-connection.js';
import { errorDocument, renderError } from './render-error.js';
import { resolveSettings } from './resolve-settings.js';
import { flatteningErrors } from './service-log.js';

const plain = { color: false, debug: false };

describe('errors for people', () => {
  test('message, remedy, code; no stack trace', () => {
    const error = new ArmatureError('unavailable', 'no quorum', { remedy: 'Try later.', cause: new Error('inner') });
    expect(renderError(error, plain)).toBe('error: no quorum\n  try: Try later.\n  code: unavailable\n');
  });

  test('a bug says that it is one, and --debug shows where, causes included', () => {
    const bug = toArmatureError(new TypeError('x is undefined'));
    expect(renderError(bug, plain)).toContain('This is a bug');
    expect(renderError(bug, plain)).not.toContain('    at ');
    const shown = renderError(bug, { color: false, debug: true });
    expect(shown).toContain('caused by: TypeError: x is undefined');
    expect(shown).toContain('    at ');
  });

  test('an error that is its own cause ends', () => {
    const error = new Error('loop');
    error.cause = error;
    expect(renderError(toArmatureError(error), { color: false, debug: true })).toContain('loop');
  });
});

describe('errors for machines', () => {
  test('hold code, message, remedy and details, and a stack only when asked', () => {
    const error = new ArmatureError('too-large', 'big', { remedy: 'Cut it.', details: { sizeBytes: 3 } });
    expect(errorDocument(error)).toEqual({ code: 'too-large', message: 'big', remedy: 'Cut it.', details: { sizeBytes: 3 } });
    expect(errorDocument(error, true)['stack']).toContain('big');
  });

  test('in the log they are plain facts; a stack comes only with bugs', () => {
    const { log, entries } = recordingLog();
    const flattening = flatteningErrors(log);
    const operating = new ArmatureError('timeout', 'late', { remedy: 'Wait.', cause: new Error('socket') });
    flattening.warn({ err: operating, peer: 'n1' }, 'asked');
    flattening.child({ part: 'x' }).error({ err: new TypeError('oops') }, 'fell over');
    expect(entries[0]?.fields).toEqual({
      error: { code: 'timeout', message: 'late', remedy: 'Wait.', cause: 'socket' },
      peer: 'n1',
    });
    expect(entries[1]?.fields).toMatchObject({ part: 'x', error: { code: 'internal', message: 'oops' } });
    expect(entries[1]?.fields['error']).toHaveProperty('stack');
  });
});

describe('exit codes', () => {
  test('every code that is used has words, and no two share a number', () => {
    expect(EXIT_CODE_TEXTS.map(([code]) => code)).toEqual(Object.values(EXIT));
    expect(new Set(Object.values(EXIT)).size).toBe(Object.values(EXIT).length);
  });

  test('no error exits with 0, and a write that may have happened is told apart', () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) expect(exitCodeOf(code)).not.toBe(EXIT.ok);
    expect([exitCodeOf('partial-write'), exitCodeOf('unknown-outcome')]).toEqual([EXIT.unsureWrite, EXIT.unsureWrite]);
    expect([exitCodeOf('unavailable'), exitCodeOf('invalid-argument'), exitCodeOf('internal')]).toEqual([3, 2, 1]);
  });
});

describe("the cluster's secret", () => {
  const directory = mkdtempSync(join(tmpdir(), 'armature-secret-'));
  const fileWith = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };

  const HALF = 'ab'.repeat(16);
  const [one, other] = [HALF, HALF.toUpperCase()];

  test('is the line of the file, or of the variable, without white space around it', () => {
    expect(loadSecrets({ secretFile: fileWith('key', ` ${one}\n`), secret: undefined })).toEqual([utf8Encode(one)]);
    expect(loadSecrets({ secretFile: undefined, secret: ` ${one} ` })).toEqual([utf8Encode(one)]);
    expect(loadSecrets({ secretFile: undefined, secret: undefined })).toBeUndefined();
  });

  test('two lines are two secrets, in their order; three, or a short one, are refused', () => {
    const both = [utf8Encode(one), utf8Encode(other)];
    expect(loadSecrets({ secretFile: fileWith('two', `${one}\r\n\n${other}\n`), secret: undefined })).toEqual(both);
    expect(loadSecrets({ secretFile: undefined, secret: `${one}\n${other}` })).toEqual(both);
    for (const wrong of [`${one}\n${one}\n${other}`, `${one}\nshort`])
      expect(() => loadSecrets({ secretFile: undefined, secret: wrong })).toThrow(
        expect.objectContaining({
          code: 'invalid-config',
          message: expect.not.stringMatching(/abab|short/) as unknown,
        }) as unknown,
      );
  });

  test('missing, absent and empty are refused with the way to make one', () => {
    const sources = [
      { secretFile: undefined, secret: undefined },
      { secretFile: join(directory, 'none'), secret: undefined },
      { secretFile: fileWith('empty', ' \n'), secret: undefined },
    ];
    for (const source of sources) {
      expect(() => requireSecrets(source)).toThrow(
        expect.objectContaining({ code: 'invalid-config', remedy: expect.stringContaining('openssl') as unknown }) as unknown,
      );
    }
  });
});

describe('the token of this process', () => {
  const directory = mkdtempSync(join(tmpdir(), 'armature-own-token-'));
  const TOKEN = 'armt1.AQVsb2NhbAFh';

  test('is the text of the file, or of the variable, without white space around it', () => {
    const file = join(directory, 'token');
    writeFileSync(file, ` ${TOKEN}\n`);
    const bytes = Buffer.from('AQVsb2NhbAFh', 'base64url');
    expect(loadToken({ tokenFile: file, token: undefined })).toEqual(bytes);
    expect(loadToken({ tokenFile: undefined, token: TOKEN })).toEqual(bytes);
    expect(loadToken({ tokenFile: undefined, token: undefined })).toBeUndefined();
  });

  test('what is no token, a file that is not there, and a token for the name of its file are refused, and not told', () => {
    for (const source of [
      { tokenFile: TOKEN, token: undefined },
      { tokenFile: join(directory, 'none'), token: undefined },
      { tokenFile: undefined, token: `${TOKEN}=` },
      { tokenFile: undefined, token: 'x' },
    ]) {
      expect(() => loadToken(source)).toThrow(
        expect.objectContaining({ code: 'invalid-config', message: expect.not.stringContaining('AQVs') as unknown }) as unknown,
      );
    }
  });
});

test('a secret that is given for the name of its file is not told', () => {
  const secret = 'ab'.repeat(32);
  for (const given of [secret, secret.toUpperCase(), `${secret}\n${secret}`, `${'Ab+/'.repeat(10)}Abc=`])
    expect(() => requireSecrets({ secretFile: given, secret: undefined })).toThrow(
      expect.objectContaining({ code: 'invalid-config', message: expect.not.stringMatching(/abab/i) as unknown }) as unknown,
    );
});

describe('NATS options', () => {
  const options = (flags: Record<string, string>, env: Record<string, string> = {}) =>
    natsServerOptions(resolveSettings(connectionSettings, { flags, env, file: undefined }).values);

  test('servers and credentials come from settings alone', () => {
    const inUrl = options({}, { NATS_URL: 'nats://ann:word@a:1,nats://b' });
    expect(inUrl.servers).toEqual(['nats://a:1', 'nats://b']);
    expect(inUrl.credentials()).toEqual({ user: 'ann', pass: 'word' });
    const apart = options({ nats: 'c' }, { NATS_URL: 'nats://a:1', NATS_TOKEN: 't' });
    expect(apart.servers).toEqual(['nats://c']);
    expect(apart.credentials()).toMatchObject({ token: 't' });
    expect(options({}).servers).toEqual(['nats://127.0.0.1:4222']);
  });

  test('a file that is not there is refused by name', () => {
    expect(() => options({ creds: '/nonexistent.creds' })).toThrow(/nonexistent\.creds/);
  });
});
