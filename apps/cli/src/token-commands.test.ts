import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseClusterName, unwrap, utf8Encode } from '@armature/kernel';
import type { LocalCluster } from '@armature/server';
import { allows, deriveTokenKeys, tokenFromText, verifyToken, type Token } from '@armature/rights';
import { localRunner, offline, type Run } from './cli.test-support.js';

const SECRET = 'sixteen bytes, or more'; // as the runner has it
const directory = mkdtempSync(join(tmpdir(), 'armature-token-'));
const keys = deriveTokenKeys([utf8Encode(SECRET)], unwrap(parseClusterName('local')));
const opened = (text: string): Token => unwrap(verifyToken(unwrap(tokenFromText(text.trim())), keys));
const CREATE = ['token', 'create', '--subject', 'checkout', '--generation', '0'];

let cluster: LocalCluster;
let run: Run;

beforeAll(async () => {
  ({ cluster, run } = await localRunner({ secret: SECRET }));
});
afterAll(() => cluster.stop());

describe('token create', () => {
  test('a token on standard output and nothing else there; with --generation nobody is asked', async () => {
    const made = await offline([...CREATE, '--grant', 'payments:read,write', '--grant', 'sessions/c-:read', '--expires', '2h']);
    expect([made.code, made.out]).toEqual([0, expect.stringMatching(/^armt1\.[\w-]+\n$/) as unknown]);
    const token = opened(made.out);
    expect(token).toMatchObject({ subject: 'checkout', role: undefined, generation: 0 });
    expect(allows(token, 'payments' as never, utf8Encode('k'), 'write')).toBe(true);
    expect(token.expiresAtMs - Date.now()).toBeGreaterThan(1.9 * 3_600_000);
    expect(made.err).toContain('generation 0');
  });

  test('--role: a token for administration, which grants no keys; inspect shows the role', async () => {
    const made = await offline([...CREATE, '--role', 'operator', '--json']);
    expect(made.json()).toMatchObject({ subject: 'checkout', grants: [], role: 'operator', generation: 0 });
    const { token } = made.json() as { token: string };
    expect(opened(token)).toMatchObject({ role: 'operator', grants: [] });
    const inspected = await offline(['token', 'inspect', '-'], { stdin: token });
    expect([inspected.code, inspected.out]).toEqual([0, expect.stringMatching(/^grants +-\nrole +operator$/m) as unknown]);
  });

  test('--out: a file for its owner only, which is not overwritten, and no token on the screen', async () => {
    const file = join(directory, 'alice.token');
    const made = await offline([...CREATE, '--grant', '*:read', '--out', file, '--json']);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(allows(opened(readFileSync(file, 'utf8')), 'payments' as never, undefined, 'read')).toBe(true);
    expect(made.json()).toEqual({
      subject: 'checkout',
      grants: ['*:read'],
      expiresAt: expect.any(String) as unknown,
      generation: 0,
      file,
    });
    expect((await offline([...CREATE, '--grant', '*:read', '--out', file])).code).toBe(2);
  });

  test.each([
    ['without the secret', [...CREATE, '--grant', 'a:read'], '--secret-file', { env: {} }],
    ['that allows nothing', CREATE, 'grant', {}],
    ['with a role that is none', [...CREATE, '--role', 'root'], 'viewer, operator, administrator', {}],
    ['with grants and a role', [...CREATE, '--grant', 'a:read', '--role', 'viewer'], 'two tokens', {}],
    ['with a grant that is none', [...CREATE, '--grant', 'a:delete'], 'read, write, list', {}],
    ['with a prefix that lists', [...CREATE, '--grant', 'a/x:list'], 'Leave out list', {}],
    ['for ever', [...CREATE, '--grant', 'a:read', '--expires', '9999d'], '30d', {}],
    [
      'for a name that tells a terminal something',
      ['token', 'create', '--subject', 'a\u001b[2J', '--grant', 'a:read'],
      'printable',
      {},
    ],
  ])('%s: refused before anybody is asked', async (_what, args, words, options) => {
    const { code, err } = await offline(args, options);
    expect([code, err]).toEqual([2, expect.stringContaining(words) as unknown]);
  });
});

describe('token inspect', () => {
  const fileWith = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };

  test('says what it allows, and with the secret whether it is whole', async () => {
    const { out: token } = await offline([...CREATE, '--grant', 'sessions/c-:read']);
    const file = fileWith('fine', token);
    const known = await offline(['token', 'inspect', file]);
    expect([known.code, known.out]).toEqual([
      0,
      expect.stringMatching(/grants +sessions\/c-:read\n[^]*state +it is whole/) as unknown,
    ]);
    const unknown = await offline(['token', 'inspect', file], { env: {} });
    expect([unknown.code, unknown.out]).toEqual([0, expect.stringContaining('not verified') as unknown]);
    const piped = await offline(['token', 'inspect', '-', '--json'], { stdin: token });
    expect(piped.json()).toMatchObject({ cluster: 'local', subject: 'checkout', verified: true });
    for (const { out, err } of [known, unknown, piped]) expect(out + err).not.toContain(token.slice(6, 40));
  });

  test('of another secret, or of another cluster: exit code 7', async () => {
    const { out: token } = await offline([...CREATE, '--grant', 'a:read']);
    const file = fileWith('other', token);
    const forged = await offline(['token', 'inspect', file, '--json'], { env: { ARMATURE_SECRET: 'another secret, and long' } });
    expect([forged.code, forged.json()]).toEqual([7, expect.objectContaining({ fault: 'forged' }) as unknown]);
    const elsewhere = await offline(['token', 'inspect', file, '--cluster', 'prod']);
    expect([elsewhere.code, elsewhere.out]).toEqual([
      7,
      expect.stringContaining('for cluster local, and this is prod') as unknown,
    ]);
  });

  test('the token itself as an argument: refused, and not repeated', async () => {
    const { out: token } = await offline([...CREATE, '--grant', 'a:read']);
    const { code, err } = await offline(['token', 'inspect', token.trim()]);
    expect([code, err]).toEqual([2, expect.stringContaining('list of processes') as unknown]);
    expect(err).not.toContain(token.slice(6, 40));
  });
});

describe('access', () => {
  test('shown, changed, revoked; new tokens are of the generation that the cluster has, and the history says who did it', async () => {
    expect((await run(['cluster', 'access'])).out).toBe('tokens optional, generation 0\n');
    expect((await run(['cluster', 'access', '--tokens', 'required'])).out).toBe('tokens required, generation 0\n');
    expect((await run(['cluster', 'access', '--tokens', 'required'])).err).toContain('already');
    expect(await run(['token', 'revoke'])).toMatchObject({ code: 2, err: expect.stringContaining('--all') as unknown });
    expect((await run(['token', 'revoke', '--all', '--json'])).json()).toEqual({ generation: 1 });
    expect((await run(['cluster', 'access', '--json'])).json()).toEqual({ tokens: 'required', generation: 1 });
    const { out } = await run(['token', 'create', '--subject', 'x', '--grant', 'a:read']);
    expect(opened(out).generation).toBe(1);
    expect((await run(['cluster', 'access', '--tokens', 'optional'])).out).toBe('tokens optional, generation 1\n');
    expect((await run(['cluster', 'history'])).out).toMatch(/access: tokens required, generation 1/);
  });
});
