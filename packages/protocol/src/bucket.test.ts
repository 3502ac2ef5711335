import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bucketProperties } from './arbitraries.test-support.js';
import { BUCKET_PROPERTY_NAMES, DEFAULT_BUCKET_PROPERTIES, parseBucketProperties, unknownBucket } from './bucket.js';
import { largestValueBytes, MAX_VALUE_BYTES } from './limits.js';

describe('bucket properties', () => {
  test('nothing given: the defaults, which are valid', () => {
    expect(parseBucketProperties({})).toEqual({ ok: true, value: DEFAULT_BUCKET_PROPERTIES });
  });

  test('valid properties are kept as they are', () => {
    fc.assert(
      fc.property(bucketProperties, (properties) => {
        expect(parseBucketProperties({ ...properties })).toEqual({ ok: true, value: properties });
      }),
    );
  });

  test('any input: properties within their bounds, or an error that names one property', () => {
    const names = fc.constantFrom<string>(...BUCKET_PROPERTY_NAMES, 'N', '__proto__', 'toString');
    const values = fc.oneof(fc.integer({ min: -2, max: 40 }), fc.double(), fc.string(), fc.anything());
    fc.assert(
      fc.property(fc.dictionary(names, values, { maxKeys: 4 }), (input) => {
        const parsed = parseBucketProperties(input);
        if (!parsed.ok) {
          expect(parsed.error.code).toBe('invalid-argument');
          // What is named was given, or is a default quorum that a smaller n no longer holds.
          expect([...Object.keys(input), 'r', 'w']).toContain(parsed.error.details['property']);
          return;
        }
        const { n, r, w, pr, pw, dw } = parsed.value;
        expect(Object.keys(parsed.value).sort()).toEqual([...BUCKET_PROPERTY_NAMES].sort());
        for (const one of [r, w]) expect(one >= 1 && one <= n).toBe(true);
        for (const one of [pr, pw, dw]) expect(one >= 0 && one <= n).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  const bad: readonly (readonly [string, Record<string, unknown>, string])[] = [
    ['n of 0', { n: 0 }, 'n'],
    ['n beyond the maximum', { n: 33 }, 'n'],
    ['n as text', { n: '3' }, 'n'],
    ['a quorum above n', { n: 2, r: 1, w: 3 }, 'w'],
    ['a default quorum above a smaller n', { n: 1 }, 'r'],
    ['a fraction', { r: 1.5 }, 'r'],
    ['NaN', { w: Number.NaN }, 'w'],
    ['pw above n', { pw: 4 }, 'pw'],
    ['an unknown resolver', { resolver: 'newest' }, 'resolver'],
    ['an unknown durability', { durability: 'disk' }, 'durability'],
    ['values beyond the hard limit', { maxValueBytes: MAX_VALUE_BYTES + 1 }, 'maxValueBytes'],
    ['no siblings at all', { maxSiblings: 0 }, 'maxSiblings'],
    ['a name that is no property', { replicas: 3 }, 'replicas'],
    ['a property of every object', { toString: 1 }, 'toString'],
    ['an explicit undefined', { n: undefined }, 'n'],
  ];
  test.each(bad)('%s: refused by name', (_what, input, property) => {
    const parsed = parseBucketProperties(input);
    expect(parsed.ok).toBe(false);
    if (parsed.ok) return;
    expect(parsed.error.details['property']).toBe(property);
    expect(parsed.error.message).toContain(property);
    expect(parsed.error.remedy).toBeTruthy();
  });

  test('an update changes what it names and keeps the rest', () => {
    const base = { ...DEFAULT_BUCKET_PROPERTIES, n: 5, r: 3, w: 3 };
    expect(parseBucketProperties({ w: 5 }, base)).toEqual({ ok: true, value: { ...base, w: 5 } });
  });

  test('values larger than so many replicas allow: refused, and the error names the largest', () => {
    const largestBytes = largestValueBytes(3);
    expect(parseBucketProperties({ maxValueBytes: largestBytes }).ok).toBe(true);
    const refused = parseBucketProperties({ maxValueBytes: largestBytes + 1 });
    expect(refused).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
    if (!refused.ok) expect(refused.error.message).toContain(String(largestBytes));
  });

  test('so many replicas that the default is too large for them: the largest that they allow', () => {
    const parsed = parseBucketProperties({ n: 32, maxSiblings: 5 });
    expect(parsed).toMatchObject({ ok: true, value: { maxValueBytes: largestValueBytes(32) } });
  });

  test('an unknown bucket: the remedy repeats only a name that could be typed', () => {
    expect(unknownBucket('carts').remedy).toContain('armature bucket create carts');
    expect(unknownBucket('x; rm -rf /').remedy).toContain('<name>');
  });
});
