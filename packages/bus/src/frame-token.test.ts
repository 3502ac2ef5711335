import { ByteWriter, seededRandom } from '@armature/kernel';
import { describe, expect, test } from 'vitest';
import { isFrameSealedWith, tokenShownIn } from './frame-token.js';
import { FrameMac } from './frame-mac.js';
import { PROTOCOL_VERSION, RECORD, writeHeaderPrefix, writeHeaderRest } from './frame.js';
import { linkAddress } from './link-address.js';

const HOLDER = linkAddress('guest', 'g1');
const DOOR = linkAddress('admin', 'node', 'n1');
const KEY = new Uint8Array(32).fill(1);
const TOKEN = Uint8Array.of(5, 6, 7);

interface Given {
  readonly cluster?: string;
  readonly from?: string;
  readonly isSealed?: boolean;
  readonly first?: number;
  readonly token?: Uint8Array;
}

function frame({
  cluster = 'shop',
  from = HOLDER,
  isSealed = true,
  first = RECORD.token,
  token = TOKEN,
}: Given = {}): Uint8Array {
  const writer = new ByteWriter();
  writeHeaderPrefix(writer, cluster, from, isSealed);
  const numbers = { session: 1, nonce: 2, named: 3, sequence: 4 };
  writeHeaderRest(writer, numbers, { monotonic: 5, wall: 6 }, { stamp: 7, heldMs: 8 });
  writer.u8(first).u32(token.length).raw(token).u8(RECORD.again).u32(4).u32(9);
  if (isSealed) new FrameMac([KEY], HOLDER, DOOR).seal(writer);
  return writer.finish();
}

describe('what a frame shows', () => {
  test('who it says it is from, and its token', () => {
    expect(tokenShownIn(frame(), 'shop')).toEqual({ address: HOLDER, token: Buffer.from(TOKEN) });
  });

  test('it is refused for what it is where it shows none, or is none of ours', () => {
    expect(tokenShownIn(frame({ cluster: 'mall' }), 'shop')).toBe('wrong-cluster');
    expect(tokenShownIn(frame().with(1, PROTOCOL_VERSION + 1), 'shop')).toBe('protocol-mismatch');
    expect(tokenShownIn(frame({ isSealed: false }), 'shop')).toBe('unauthenticated');
    expect(tokenShownIn(frame({ first: RECORD.request }), 'shop')).toBe('unauthenticated');
    expect(tokenShownIn(frame({ token: new Uint8Array(4_097) }), 'shop')).toBe('unauthenticated');
    expect(tokenShownIn(frame({ from: 'guest.*' }), 'shop')).toBeUndefined();
  });

  test('whatever the bytes, it ends; a frame that was cut is none, or shows what is whole of it', () => {
    const whole = frame();
    for (let length = 0; length < whole.length; length++)
      expect([undefined, 'object']).toContain(kindOf(tokenShownIn(whole.subarray(0, length), 'shop')));
    const random = seededRandom(1);
    for (let i = 0; i < 2_000; i++) tokenShownIn(whole.with(random.int(whole.length), random.int(256)), 'shop');
  });
});

test('a frame is sealed with the key of its holder, from his address to this door, and with nothing else', () => {
  const whole = frame();
  expect(isFrameSealedWith(KEY, whole, HOLDER, DOOR)).toBe(true);
  expect(isFrameSealedWith(new Uint8Array(32).fill(2), whole, HOLDER, DOOR)).toBe(false);
  expect(isFrameSealedWith(KEY, whole, linkAddress('guest', 'g2'), DOOR)).toBe(false);
  expect(isFrameSealedWith(KEY, whole, HOLDER, linkAddress('admin', 'node', 'n2'))).toBe(false);
  for (let i = 0; i < whole.length; i++)
    expect(isFrameSealedWith(KEY, whole.with(i, (whole[i] as number) ^ 1), HOLDER, DOOR)).toBe(false);
});

function kindOf(shown: ReturnType<typeof tokenShownIn>): string | undefined {
  return shown === undefined ? undefined : typeof shown;
}
