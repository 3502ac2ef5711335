/** Somebody who makes up peers at an endpoint that takes no secret, and honest ones beside him. */
import { ByteWriter, seededRandom } from '@armature/kernel';
import { memoryTelemetry, silentLog } from '@armature/runtime';
import { expect, test } from 'vitest';
import { RECORD, writeHeaderPrefix, writeHeaderRest } from './frame.js';
import { NONCE_LIFE_MS } from './greeter.js';
import { linkAddress, type LinkAddress } from './link-address.js';
import type { LinkLimits } from './link-limits.js';
import { LinkEndpoint } from './link.js';
import { PeerQuota } from './peer-quota.js';
import { ReassemblyBudget } from './reassembly.js';
import { at, LinkBench, note, noteCodec, textOf, watch, type Note, type NoteEndpoint } from './link.test-support.js';

const SECOND = 1_000;
const DOOR = at('door');
const GROUP_LIMITS = { peers: 64, peersPerGroup: 32 };

class Doorstep extends LinkBench {
  readonly #random = seededRandom('doorstep');
  readonly evil = this.broker.connect('evil');

  /** The endpoint at which all of this happens. */
  door(limits: Partial<LinkLimits> = {}, answer: (message: Note) => Note | Promise<Note> = (message) => message): NoteEndpoint {
    const door = LinkEndpoint.open(this.broker.connect('door'), noteCodec, {
      ...{ prefix: 't', cluster: 'c', address: DOOR, clock: this.clock, random: this.#random, log: silentLog },
      telemetry: memoryTelemetry(),
      limits,
      quota: new PeerQuota(GROUP_LIMITS),
      reassembly: new ReassemblyBudget(1_000_000, 500_000),
    });
    door.serve(answer);
    return door;
  }

  guest(...address: string[]): NoteEndpoint {
    return LinkEndpoint.open(this.broker.connect(), noteCodec, {
      ...{ prefix: 't', cluster: 'c', address: linkAddress('guest', ...address), clock: this.clock, random: this.#random },
      ...{ log: silentLog, telemetry: memoryTelemetry() },
    });
  }

  /** A first fragment, or a request, of somebody who does not listen anywhere. */
  makeUp(address: LinkAddress, kind: 'fragment' | 'request', named = this.#random.u32()): void {
    const writer = new ByteWriter();
    writeHeaderPrefix(writer, 'c', address, false);
    const numbers = { session: this.#random.u32(), nonce: this.#random.u32(), named, sequence: 1 };
    writeHeaderRest(writer, numbers, { monotonic: 0, wall: 0 }, { stamp: 0, heldMs: 0 });
    const content = new ByteWriter();
    if (kind === 'fragment') content.u32(1).u32(0).u32(100).raw(new Uint8Array(50));
    else content.u32(1).u32(SECOND).blob(note('made up').bytes);
    const bytes = content.finish();
    writer.u8(RECORD[kind]).u32(bytes.length).raw(bytes);
    this.evil.publish(`t.c.link.${DOOR}`, writer.finish());
  }
}

test('made-up senders, however many, take nobody a place, hold nothing, and keep nobody from coming in meanwhile', async () => {
  const bench = new Doorstep();
  const door = bench.door();
  const regular = bench.guest('shop', 'regular');
  await bench.introduce(regular, door);
  const before = door.stats.peers;
  const newcomer = watch(bench.guest('shop', 'newcomer').request(DOOR, note('first'), SECOND));
  for (let i = 0; i < 5_000; i++) {
    bench.makeUp(linkAddress('guest', i % 2 === 0 ? 'shop' : 'evil', `m${i}`), i % 3 === 0 ? 'request' : 'fragment');
  }
  await bench.turns();
  expect(textOf(newcomer.value as Note)).toBe('first');
  expect(door.stats).toMatchObject({ peers: before + 1, executing: 0, droppedMessages: 0 });
  const asked = watch(regular.request(DOOR, note('second'), SECOND));
  await bench.turns();
  expect(textOf(asked.value as Note)).toBe('second');
});

test('a group that fills its share with peers that can hear, and parts of messages, shuts out itself only; who waits for an answer is not forgotten', async () => {
  const bench = new Doorstep();
  let release: (answer: Note) => void = () => undefined;
  const door = bench.door({}, (message) =>
    textOf(message) === 'slow' ? new Promise<Note>((resolve) => (release = resolve)) : message,
  );
  const waiting = bench.guest('shop', 'waiting');
  await bench.introduce(waiting, door);
  const slow = watch(waiting.request(DOOR, note('slow'), 60 * SECOND));
  await bench.turns();
  const large: Note = { bytes: new Uint8Array(1_500_000) };
  const evil = Array.from({ length: 3 * GROUP_LIMITS.peersPerGroup }, (_, i) => bench.guest('evil', `e${i}`));
  const outcomes = evil.map((one) => watch(one.request(DOOR, large, 20 * SECOND)));
  await bench.clock.advance(100);
  expect(outcomes.some(({ code }) => code === 'overloaded')).toBe(true);
  for (const name of ['a', 'b', 'c']) {
    const seen = watch(bench.guest('shop', name).request(DOOR, note(name), SECOND));
    await bench.turns();
    expect(textOf(seen.value as Note)).toBe(name);
  }
  const whole = watch(bench.guest('shop', 'large').request(DOOR, { bytes: new Uint8Array(400_000) }, SECOND));
  await bench.clock.advance(100);
  expect(whole.value?.bytes.length).toBe(400_000);
  release(note('done'));
  await bench.turns();
  expect(textOf(slow.value as Note)).toBe('done');
  expect(door.stats.peers).toBeLessThanOrEqual(GROUP_LIMITS.peers);
});

test('requests in hand are bounded per group, and those of other groups are taken', async () => {
  const bench = new Doorstep();
  bench.door({ executingPerGroup: 3 }, (message) => (textOf(message) === 'quick' ? message : new Promise<Note>(() => undefined)));
  const [evil, shop] = [bench.guest('evil', 'e'), bench.guest('shop', 's')];
  const held = Array.from({ length: 5 }, () => watch(evil.request(DOOR, note('slow'), SECOND)));
  await bench.turns();
  expect(held.map(({ code }) => code)).toEqual([undefined, undefined, undefined, 'overloaded', 'overloaded']);
  const seen = watch(shop.request(DOOR, note('quick'), SECOND));
  await bench.turns();
  expect(textOf(seen.value as Note)).toBe('quick');
});

test('bytes of requests in hand are bounded per group: a frame counts whole until the last request in it has been answered', async () => {
  const bench = new Doorstep();
  const held: ((answer: Note) => void)[] = [];
  bench.door({ executingBytesPerGroup: 40_000 }, (message) =>
    textOf(message) === 'quick' ? message : new Promise<Note>((resolve) => held.push(resolve)),
  );
  const [evil, shop] = [bench.guest('evil', 'e'), bench.guest('shop', 's')];
  const ask = (bytes: number): { readonly code?: string } => watch(evil.request(DOOR, { bytes: new Uint8Array(bytes) }, SECOND));
  ask(10);
  await bench.turns(); // they know each other now
  const together = [ask(30_000), ask(10)]; // one frame
  await bench.turns();
  const besides = ask(20_000);
  await bench.turns();
  const tooMany = ask(10);
  const seen = watch(shop.request(DOOR, note('quick'), SECOND));
  await bench.turns();
  expect([...together, besides, tooMany].map(({ code }) => code)).toEqual([undefined, undefined, undefined, 'overloaded']);
  expect(textOf(seen.value as Note)).toBe('quick');

  held[1]?.(note('large')); // the small one beside it holds the frame still
  await bench.turns();
  const stillTooMany = ask(10);
  await bench.turns();
  expect(stillTooMany.code).toBe('overloaded');

  held[2]?.(note('small'));
  await bench.turns();
  const again = ask(10);
  await bench.turns();
  expect(again.code).toBeUndefined();
});

test('a message of many fragments counts while it is in hand, at all doors together', async () => {
  const bench = new Doorstep();
  const held: ((answer: Note) => void)[] = [];
  bench.door({ executingBytes: 300_000 }, (message) =>
    message.bytes.length < 100 ? message : new Promise<Note>((resolve) => held.push(resolve)),
  );
  const [evil, shop] = [bench.guest('evil', 'e'), bench.guest('shop', 's')];
  const large = watch(evil.request(DOOR, { bytes: new Uint8Array(400_000) }, SECOND));
  await bench.turns();
  expect(held.length).toBe(1);
  const refused = watch(shop.request(DOOR, note('quick'), SECOND));
  await bench.turns();
  expect(refused.code).toBe('overloaded');
  held[0]?.(note('done'));
  await bench.turns();
  expect(textOf(large.value as unknown as Note)).toBe('done');
  const seen = watch(shop.request(DOOR, note('quick'), SECOND));
  await bench.turns();
  expect(textOf(seen.value as Note)).toBe('quick');
});

test('a nonce serves whom it was told, for some seconds', async () => {
  const bench = new Doorstep();
  const door = bench.door();
  const told: number[] = [];
  bench.evil.subscribe('t.c.link.guest.x', ({ payload }) => {
    const prefix = 2 + 1 + 1 + 1 + DOOR.length + 1;
    told.push(Buffer.from(payload).readUInt32LE(prefix + 4));
  });
  const x = linkAddress('guest', 'x');
  bench.makeUp(x, 'request', 0);
  await bench.turns();
  const [nonce] = told as [number];
  bench.makeUp(linkAddress('guest', 'y'), 'request', nonce);
  await bench.turns();
  expect(door.stats.peers).toBe(0);
  await bench.clock.advance(NONCE_LIFE_MS);
  bench.makeUp(x, 'request', nonce);
  await bench.turns();
  expect(door.stats.peers).toBe(0);
  bench.makeUp(x, 'request', told.at(-1));
  await bench.turns();
  expect(door.stats.peers).toBe(1);
});
