/** Names, results, errors, assertions, bytes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AssertionError, assert, unreachable } from './assert.js';
import { parseBucketName, parseClusterName, parseNodeId, parseZoneName } from './brands.js';
import {
  bytesEqual,
  compareBytes,
  concatBytes,
  fromBase64,
  fromBinaryString,
  fromHex,
  toBase64Url,
  toBinaryString,
  toHex,
} from './bytes.js';
import { ArmatureError, ERROR_CODES, isErrorCode, toArmatureError } from './errors.js';
import { isPlainLine, isPlainName } from './plain-line.js';
import { err, ok, unwrap, type Result } from './result.js';
import { checkedSecrets } from './secrets.js';

describe('names', () => {
  const parsers: readonly ((text: string) => Result<string, ArmatureError>)[] = [
    parseNodeId,
    parseClusterName,
    parseBucketName,
    parseZoneName,
  ];
  const first = fc.constantFrom('a', 'b', 'z', 'A', 'Z', '0', '9');
  const rest = fc.string({ unit: fc.constantFrom('a', 'z', 'A', 'Z', '0', '9', '-', '_'), maxLength: 63 });

  test('1 to 64 letters, digits, "-" and "_" from a letter or digit on are a name, and stay as they are', () => {
    fc.assert(
      fc.property(first, rest, (head, tail) => {
        for (const parse of parsers) expect(unwrap(parse(head + tail))).toBe(head + tail);
      }),
    );
  });

  test.each(['', '-a', '_a', 'a.b', 'a b', 'a*', 'a>', 'ä', 'a\n', '\0', 'a'.repeat(65), '../x', 'n1 ', 'a/b'])(
    '%j is none',
    (text) => {
      for (const parse of parsers) {
        const parsed = parse(text);
        expect(parsed).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
        expect(parsed.ok ? undefined : parsed.error.remedy).toContain('1 to 64');
      }
    },
  );

  test('nothing that passes can be a subject token, a path or a label of another meaning', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 70 }), (text) => {
        if (parseNodeId(text).ok) expect(text).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('results', () => {
  test('unwrap gives the value of a success and throws the error of a failure, itself', () => {
    expect(unwrap(ok(3))).toBe(3);
    const error = new ArmatureError('timeout', 'late');
    expect(() => unwrap(err(error))).toThrow(error);
  });
});

describe('errors', () => {
  test('carry code, remedy, cause and details, and say whether repeating helps', () => {
    const cause = new Error('disk');
    const error = new ArmatureError('storage-full', 'no space', { remedy: 'Make room.', cause, details: { freeBytes: 0 } });
    expect(error).toMatchObject({
      name: 'ArmatureError',
      code: 'storage-full',
      message: 'no space',
      remedy: 'Make room.',
      cause,
    });
    expect(error.details).toEqual({ freeBytes: 0 });
    expect(error.retryable).toBe(true);
    expect(new ArmatureError('invalid-context', 'forged').retryable).toBe(false);
    expect(new ArmatureError('internal', 'bug')).toMatchObject({ remedy: undefined, details: {} });
    expect('cause' in new ArmatureError('internal', 'bug')).toBe(false);
  });

  test('exactly the listed codes are codes: names that every object has are not', () => {
    for (const code of Object.keys(ERROR_CODES)) expect(isErrorCode(code)).toBe(true);
    for (const text of ['toString', '__proto__', 'constructor', '', 'Timeout']) expect(isErrorCode(text)).toBe(false);
  });

  test('any thrown thing becomes one: its own kind stays, the rest is internal with the cause kept', () => {
    const own = new ArmatureError('timeout', 'late');
    expect(toArmatureError(own)).toBe(own);
    const bug = new TypeError('x is undefined');
    expect(toArmatureError(bug)).toMatchObject({ code: 'internal', message: 'x is undefined', cause: bug });
    expect(toArmatureError('text').message).toBe('text');
    fc.assert(fc.property(fc.anything(), (thrown) => toArmatureError(thrown).code === 'internal'));
    expect(toArmatureError(Object.create(null)).code).toBe('internal');
  });
});

describe('assertions', () => {
  test('a broken invariant throws with its words; one that holds does nothing', () => {
    assert(true, 'holds');
    expect(() => {
      assert(0, 'a count is positive');
    }).toThrow(new AssertionError('a count is positive'));
  });

  test('unreachable names the kind of what reached it and nothing of its content', () => {
    expect(() => unreachable({ kind: 'gossip', secret: 'value' } as never)).toThrow(/^unreachable: gossip$/);
    const circular: { self?: unknown } = {};
    circular.self = circular;
    for (const value of [undefined, null, 7n, circular, Symbol('s')])
      expect(() => unreachable(value as never)).toThrow(AssertionError);
  });
});

describe('bytes', () => {
  const bytes = fc.uint8Array({ maxLength: 60 });

  test('binary strings and back, in byte order', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        const [x, y] = [toBinaryString(a), toBinaryString(b)];
        expect(bytesEqual(fromBinaryString(x), a)).toBe(true);
        expect(Math.sign(compareBytes(a, b))).toBe(x < y ? -1 : x > y ? 1 : 0);
        expect(bytesEqual(a, b)).toBe(x === y);
        expect(toBinaryString(concatBytes([a, b]))).toBe(x + y);
      }),
    );
  });

  test('hex and base64 and back; padded, unpadded and both alphabets are read', () => {
    fc.assert(
      fc.property(bytes, (a) => {
        expect(bytesEqual(fromHex(toHex(a)) as Uint8Array, a)).toBe(true);
        expect(bytesEqual(fromHex(toHex(a).toUpperCase()) as Uint8Array, a)).toBe(true);
        expect(bytesEqual(fromBase64(toBase64Url(a)) as Uint8Array, a)).toBe(true);
        expect(bytesEqual(fromBase64(Buffer.from(a).toString('base64')) as Uint8Array, a)).toBe(true);
      }),
    );
  });

  test.each(['a', 'abc', 'zz', '0x12', 'a b '])('%j is not hex', (text) => expect(fromHex(text)).toBeUndefined());

  test('two base64 texts that differ in more than padding and alphabet are never the same bytes', () => {
    const digits = fc.string({ unit: fc.constantFrom('A', 'Q', 'R', 'g', 'B', '-', '_'), maxLength: 5 });
    fc.assert(
      fc.property(digits, digits, (a, b) => {
        const [one, other] = [fromBase64(a), fromBase64(b)];
        if (one !== undefined && other !== undefined) expect(bytesEqual(one, other)).toBe(a === b);
      }),
    );
    expect([fromBase64('QQ'), fromBase64('QR'), fromBase64('-_-_'), fromBase64('+/+/')]).toEqual([
      Buffer.from('A'),
      undefined,
      Buffer.from('fbffbf', 'hex'),
      Buffer.from('fbffbf', 'hex'),
    ]);
  });

  test.each(['A', 'AAAAA', '=', '==', 'AB=', 'ABC==', 'A===', 'AB\n', 'AB CD', 'AB==CD', 'é'])('%j is not base64', (text) =>
    expect(fromBase64(text)).toBeUndefined(),
  );
});

describe('secrets of a cluster', () => {
  const secret = (fill: number): Uint8Array => new Uint8Array(16).fill(fill);

  test('one, or two while it is being changed', () => {
    expect(unwrap(checkedSecrets([secret(1)]))).toEqual([secret(1)]);
    expect(unwrap(checkedSecrets([secret(2), secret(1)]))).toEqual([secret(2), secret(1)]);
  });

  test.each([
    ['none', []],
    ['three', [secret(1), secret(2), secret(3)]],
    ['one that could be guessed', [secret(1), new TextEncoder().encode('pass-word-of-15')]],
  ])('%s: refused, without a word of what they are', (_what, secrets) => {
    const checked = checkedSecrets(secrets);
    expect(checked).toMatchObject({ ok: false, error: { code: 'invalid-config' } });
    expect(checked.ok ? '' : `${checked.error.message}${checked.error.remedy}`).not.toContain('pass-word');
  });
});

describe('texts of others', () => {
  test('what would tell a terminal to do something is no plain line', () => {
    for (const text of ['a\nb', 'a\u001b[2Jb', 'a\u202eb', 'a\u2028b', '\ud800', '\u0000']) expect(isPlainLine(text)).toBe(false);
    for (const text of ['', 'a b', 'größe', '你好', '👍']) expect(isPlainLine(text)).toBe(true);
  });

  test('a plain name is one to so many characters, with no blanks around it', () => {
    expect(['a', 'a b', 'ab'.repeat(4)].map((text) => isPlainName(text, 8))).toEqual([true, true, true]);
    expect(['', ' a', 'a ', 'a\tb', 'a'.repeat(9)].map((text) => isPlainName(text, 8))).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});
