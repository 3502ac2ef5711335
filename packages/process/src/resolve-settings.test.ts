import { NAME_RULE, parseNodeId, type ArmatureError } from '@armature/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseConfig } from './config-file.js';
import { attributeOf, longFlag, resolveSettings, variableOf, type SettingsInput } from './resolve-settings.js';
import { byteRate, duration, flag, integer, listOf, oneOf, optional, parsed, required, setting, text } from './setting.js';

const shape = {
  httpPort: setting(integer(0, 65_535), 7600, { flag: '--http-port <port>', help: 'port' }),
  nats: optional(text, { flag: '--nats <urls>', flagAliases: ['--server <urls>'], envAliases: ['NATS_URL'], help: 'bus' }),
  level: setting(oneOf('low', 'high'), 'low', { flag: '--level <level>', help: 'level' }),
  direct: setting(flag, false, { flag: '--direct', help: 'direct' }),
  secret: optional(text, { help: 'secret', secret: true }),
};

const nothing: SettingsInput = { flags: {}, env: {}, file: undefined };
const file = (values: Record<string, unknown>) => ({ path: 'armature.json', values });

function refused(run: () => unknown): ArmatureError {
  try {
    run();
  } catch (thrown) {
    return thrown as ArmatureError;
  }
  throw new Error('nothing was refused');
}

describe('where a value comes from', () => {
  test('a flag wins over a variable, a variable over the file, the file over the default', () => {
    const all = { flags: { httpPort: '1' }, env: { ARMATURE_HTTP_PORT: '2' }, file: file({ httpPort: 3 }) };
    const value = (input: SettingsInput) => {
      const { values, origins } = resolveSettings(shape, input);
      return [values.httpPort, origins.httpPort.kind];
    };
    expect(value(all)).toEqual([1, 'flag']);
    expect(value({ ...all, flags: {} })).toEqual([2, 'env']);
    expect(value({ ...all, flags: {}, env: {} })).toEqual([3, 'file']);
    expect(value(nothing)).toEqual([7600, 'default']);
  });

  test('other spellings of a flag and of a variable count, and our own win over them', () => {
    expect(resolveSettings(shape, { ...nothing, flags: { server: 'a' } }).origins.nats).toEqual({
      kind: 'flag',
      name: '--server',
    });
    expect(resolveSettings(shape, { ...nothing, flags: { server: 'a', nats: 'b' } }).values.nats).toBe('b');
    expect(resolveSettings(shape, { ...nothing, env: { NATS_URL: 'a' } }).values.nats).toBe('a');
    expect(resolveSettings(shape, { ...nothing, env: { NATS_URL: 'a', ARMATURE_NATS: 'b' } }).values.nats).toBe('b');
  });

  test('an empty variable is not set', () => {
    const { values, origins } = resolveSettings(shape, { ...nothing, env: { ARMATURE_HTTP_PORT: '' } });
    expect([values.httpPort, origins.httpPort.kind]).toEqual([7600, 'default']);
  });

  test('a file need not say what names on objects mean by themselves', () => {
    const odd = { toString: setting(text, 'x', { help: 'odd' }) };
    expect(resolveSettings(odd, { ...nothing, file: file({}) }).values.toString).toBe('x');
  });
});

describe('refusals', () => {
  test('name the field, the place, the value and what is allowed', () => {
    const error = refused(() => resolveSettings(shape, { ...nothing, env: { ARMATURE_HTTP_PORT: '70000' } }));
    expect(error.code).toBe('invalid-config');
    expect(error.message).toBe('httpPort is "70000" (from ARMATURE_HTTP_PORT), but must be a whole number from 0 to 65535');
    expect(error.remedy).toBe('Correct ARMATURE_HTTP_PORT.');
  });

  test('come all at once', () => {
    const error = refused(() => resolveSettings(shape, { flags: { level: 'mid' }, env: {}, file: file({ httpPort: -1 }) }));
    expect(error.message.split('\n')).toEqual([
      'httpPort is -1 (from "httpPort" in armature.json), but must be a whole number from 0 to 65535',
      'level is "mid" (from --level), but must be one of low, high',
    ]);
  });

  test('do not show a secret', () => {
    const error = refused(() => resolveSettings(shape, { ...nothing, file: file({ secret: 12345678 }) }));
    expect(error.message).not.toContain('12345678');
    expect(error.message).toContain('secret is not valid (from "secret" in armature.json)');
  });

  test('say how to give what is required and missing', () => {
    const one = { name: required(parsed(parseNodeId, NAME_RULE), { flag: '--name <name>', help: 'name' }) };
    const error = refused(() => resolveSettings(one, nothing));
    expect(error.message).toContain('name is not set');
    expect(error.remedy).toBe('Give --name <name> or ARMATURE_NAME, or "name" in the configuration file.');
  });
});

describe('kinds', () => {
  const ok = (kind: { readonly parse: (given: unknown) => unknown }, value: unknown) => kind.parse(value) ?? 'refused';

  test('a number is the same as text and as JSON', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 65_535 }), (port) => {
        expect(ok(integer(0, 65_535), String(port))).toBe(port);
        expect(ok(integer(0, 65_535), port)).toBe(port);
      }),
    );
  });

  test('what only looks like a number is none', () => {
    for (const odd of ['', ' 1', '1.5', '0x10', '1e3', 'NaN', 1.5, NaN, null, true]) {
      expect(ok(integer(0, 65_535), odd)).toBe('refused');
    }
  });

  test('a list is text with commas or a JSON list, and each of it is checked', () => {
    expect(ok(listOf(text), 'a, b,,c')).toEqual(['a', 'b', 'c']);
    expect(ok(listOf(text), ['a', 'b'])).toEqual(['a', 'b']);
    expect(ok(listOf(oneOf('a', 'b')), 'a,c')).toBe('refused');
    expect(ok(listOf(text), 5)).toBe('refused');
  });

  test('a time has a unit, or is in ms', () => {
    const kind = duration(1, 3_600_000);
    expect([ok(kind, '500'), ok(kind, '500ms'), ok(kind, '1.5s'), ok(kind, '2m'), ok(kind, 250)]).toEqual([
      500, 500, 1500, 120_000, 250,
    ]);
    for (const odd of ['', 's', '5x', '-1', '0', '2h', '90m']) expect(ok(kind, odd)).toBe('refused');
  });

  test('a rate of bytes has a unit, per second or not, or is in bytes', () => {
    const kind = byteRate(1_024);
    expect([ok(kind, '32MiB/s'), ok(kind, '500kB'), ok(kind, '1.5KiB/s'), ok(kind, '2048'), ok(kind, 4_096)]).toEqual([
      33_554_432, 500_000, 1_536, 2_048, 4_096,
    ]);
    for (const odd of ['', 'MiB', '5x', '-1', '1023', '1kB', '32 MiB/s', '32MiB/m', 0]) expect(ok(kind, odd)).toBe('refused');
  });

  test('a switch is true or false, in words too', () => {
    expect([ok(flag, true), ok(flag, 'true'), ok(flag, '1'), ok(flag, '0'), ok(flag, 'yes')]).toEqual([
      true,
      true,
      true,
      false,
      'refused',
    ]);
  });
});

describe('names', () => {
  test('of variables, flags and attributes go together', () => {
    expect(variableOf('gossipIntervalMs')).toBe('ARMATURE_GOSSIP_INTERVAL_MS');
    expect(longFlag('-w, --http-port <port>')).toBe('--http-port');
    expect(attributeOf('--http-port')).toBe('httpPort');
  });
});

describe('configuration file', () => {
  const why = (words: string) => refused(() => parseConfig('a.json', words, ['httpPort', 'nats']));

  test('is one JSON object with known keys', () => {
    expect(parseConfig('a.json', '{"httpPort": 1}', ['httpPort'])).toEqual({ httpPort: 1 });
    expect(why('{').message).toContain('a.json is not JSON');
    expect(why('[]').message).toContain('is not a JSON object');
    expect(why('null').message).toContain('is not a JSON object');
  });

  test('a key that nobody knows is refused, with the one that was probably meant', () => {
    expect(why('{"http-port": 1}').remedy).toBe('Write "httpPort".');
    expect(why('{"port": 1}').remedy).toBe('Known settings: httpPort, nats.');
  });
});

test('a file that is nested so deeply that nobody could say what is wrong with it is refused in words', () => {
  const text = `{"seeds":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  const error = refused(() => parseConfig('armature.json', text, ['seeds']));
  expect(error).toMatchObject({
    code: 'invalid-config',
    message: 'the configuration file armature.json is nested more than 8 levels deep',
  });
});

test('a file that is far larger than all settings together is not parsed', () => {
  const error = refused(() => parseConfig('armature.json', `{"seeds":["${'n'.repeat(300_000)}"]}`, ['seeds']));
  expect(error.message).toBe('the configuration file armature.json has more than 262144 characters');
});
