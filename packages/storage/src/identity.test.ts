import { describe, expect, test } from 'vitest';
import { stampText, STORAGE_FORMAT, verifyStamp } from './identity.js';

const OWN = { cluster: 'shop', node: 'n1' };
const stamp = stampText(OWN, 0);
const code = (text: string, identity: { cluster: string; node?: string }): string => {
  try {
    verifyStamp(text, identity, 'the place');
    return 'ok';
  } catch (thrown) {
    const { code: found, remedy } = thrown as { code: string; remedy: string };
    expect(remedy).toBeTruthy();
    return found;
  }
};

describe('identity', () => {
  test('its owner, and a reader that names only the cluster, may open a place', () => {
    expect(code(stamp, OWN)).toBe('ok');
    expect(code(stamp, { cluster: 'shop' })).toBe('ok');
  });

  test('another cluster, another node, a place of no node: foreign', () => {
    expect(code(stamp, { cluster: 'other', node: 'n1' })).toBe('storage-foreign');
    expect(code(stamp, { cluster: 'shop', node: 'n2' })).toBe('storage-foreign');
    expect(code(stampText({ cluster: 'shop' }, 0), OWN)).toBe('storage-foreign');
  });

  test('a newer format is foreign, whatever else it says', () => {
    expect(code(JSON.stringify({ ...OWN, format: STORAGE_FORMAT + 1 }), OWN)).toBe('storage-foreign');
  });

  test.each(['', '{', 'null', '[]', '{"format":1}', '{"cluster":"shop","format":"1"}'])('%j is no stamp: corrupt', (text) => {
    expect(code(text, OWN)).toBe('storage-corrupt');
  });
});
