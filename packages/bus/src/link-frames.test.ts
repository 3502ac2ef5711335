import { ByteReader, ByteWriter } from '@armature/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  FRAME_MAGIC,
  PROTOCOL_VERSION,
  readHeader,
  writeHeaderRest,
  readRecords,
  RECORD,
  writeHeaderPrefix,
  type RecordVisitor,
} from './frame.js';
import type { Clock } from '@armature/runtime';
import type { TrustDomain } from './trust-domain.js';
import { at, LinkBench, note, textOf, watch, type Note } from './link.test-support.js';

const SECOND = 1000;

/** A frame as an outsider would write it. */
function frame(
  records: (writer: ByteWriter) => void,
  { cluster = 'c', version = PROTOCOL_VERSION, from = 'node.x', mark = 0, to = 0, stamp = 0, heldMs = 0 } = {},
): Uint8Array {
  const writer = new ByteWriter();
  writeHeaderPrefix(writer, cluster, from, mark, 7);
  writeHeaderRest(writer, to, { monotonic: 0, wall: 0 }, { stamp, heldMs });
  records(writer);
  const bytes = writer.copyOut();
  bytes[1] = version;
  return bytes;
}

function record(writer: ByteWriter, kind: number, content: (w: ByteWriter) => void): void {
  const inner = new ByteWriter();
  content(inner);
  writer.u8(kind).u32(inner.length).raw(inner.copyOut());
}

async function answered<T>(bench: LinkBench, request: Promise<T>): Promise<T> {
  await bench.turns();
  return request;
}

const requestRecord = (writer: ByteWriter, id: number, text: string): void =>
  record(writer, RECORD.request, (w) => w.u32(id).u32(SECOND).blob(note(text).bytes));

/** An endpoint `b` that echoes, and an outsider `x` who publishes to it what it likes and sees what comes back. */
function outsider(domain?: TrustDomain) {
  const bench = new LinkBench();
  const b = bench.open('b', {}, { domain });
  const handled: string[] = [];
  b.serve(
    (message, { isMember }) => {
      handled.push(isMember ? `${textOf(message)} of a member` : textOf(message));
      return message;
    },
    { isHarmlessLate: (message) => !textOf(message).startsWith('put') },
  );
  const bus = bench.broker.connect('x');
  const refusals: string[] = [];
  bus.subscribe('t.c.refused.>', ({ payload }) => refusals.push(new TextDecoder().decode(payload)));
  const back: { id: number; text: string }[] = [];
  /** Of the last frame of `b`. */
  const heard = { session: 0, stamp: 0 };
  bus.subscribe('t.c.link.*.*', ({ payload, subject }) => {
    if (subject.endsWith('node.b')) return;
    const reader = new ByteReader(payload);
    const { session, sent } = readHeader(reader);
    Object.assign(heard, { session, stamp: sent.monotonic });
    const ignore = (): void => {};
    const visitor: RecordVisitor<undefined> = {
      request: ignore,
      reply: (_, id, body) => void back.push({ id, text: new TextDecoder().decode(body.blob()) }),
      error: (_, id, body) => void back.push({ id, text: `error ${body.text()}` }),
      oneWay: ignore,
      fragment: ignore,
      received: ignore,
      again: (_, id) => void back.push({ id, text: 'again' }),
      malformed: ignore,
    };
    readRecords(reader, visitor, undefined);
  });
  const publish = async (payload: Uint8Array): Promise<void> => {
    bus.publish('t.c.link.node.b', payload, { reply: 't.c.refused.node.x.to.node.b.1' });
    await bench.turns();
  };
  return { bench, b, handled, refusals, back, heard, publish };
}

describe('frames: malformed input', () => {
  test('a malformed record costs no other in its frame', async () => {
    const { b, handled, back, publish } = outsider();
    await publish(
      frame((w) => {
        requestRecord(w, 1, 'one');
        record(w, 99, (inner) => inner.u32(5)); // a kind of the future
        record(w, RECORD.request, (inner) => inner.u8(1)); // too short for an id
        record(w, RECORD.request, (inner) => inner.u32(2).u32(SECOND).u8(200)); // a body that is truncated
        requestRecord(w, 3, 'three');
        w.u8(RECORD.request).u32(1_000_000); // longer than the frame
      }),
    );
    expect(handled).toEqual(['one', 'three']);
    expect(back).toEqual([
      { id: 1, text: 'one' },
      { id: 2, text: 'error protocol-mismatch' },
      { id: 3, text: 'three' },
    ]);
    expect(b.stats.decodeErrors).toBe(4);
  });

  test('arbitrary bytes never throw out of an endpoint, and it keeps answering', async () => {
    const { bench, b, handled, publish } = outsider();
    const start = [FRAME_MAGIC, PROTOCOL_VERSION, 1, 'c'.charCodeAt(0), 6, ...Buffer.from('node.x')];
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map((tail) => Uint8Array.from([...start, ...tail])),
      fc
        .array(fc.tuple(fc.integer({ min: 0, max: 7 }), fc.uint8Array({ maxLength: 40 })), { maxLength: 8 })
        .map((records) => frame((w) => records.forEach(([kind, content]) => record(w, kind, (inner) => inner.raw(content))))),
    );
    await fc.assert(
      fc.asyncProperty(garbage, async (payload) => {
        await publish(payload);
      }),
      { numRuns: 500 },
    );
    expect(bench.logged.filter((line) => line.startsWith('error'))).toEqual([]);
    const before = handled.length;
    await publish(frame((w) => requestRecord(w, 1, 'still here'), { from: 'node.y' }));
    expect(handled.slice(before)).toEqual(['still here']);
    expect(b.stats.executing).toBe(0);
  });

  test('an address that is no subject is not published to', async () => {
    const { b, handled, publish } = outsider();
    for (const from of ['node.*', '>', 'a b', 'a\r\nPUB x 1', '', '.', 'x'.repeat(200)]) {
      await publish(frame((w) => requestRecord(w, 1, 'x'), { from }));
    }
    expect(handled).toEqual([]);
    expect(b.stats).toMatchObject({ peers: 0, framesOut: 0, decodeErrors: 7 });
  });

  test('claims of huge lengths and counts allocate nothing', async () => {
    const { b, publish } = outsider();
    await publish(
      frame((w) => record(w, RECORD.fragment, (inner) => inner.u32(1).u32(0).u32(0xffffffff).raw(new Uint8Array(10)))),
    );
    await publish(
      frame((w) =>
        record(w, RECORD.request, (inner) =>
          inner
            .u32(1)
            .u32(1)
            .varint(2 ** 40),
        ),
      ),
    );
    expect(b.stats).toMatchObject({ decodeErrors: 1, executing: 0 });
  });

  test('answers that nobody asked for are counted and change nothing', async () => {
    const { b, publish } = outsider();
    await publish(
      frame((w) => {
        record(w, RECORD.reply, (inner) => inner.u32(5).blob(new Uint8Array(3)));
        record(w, RECORD.error, (inner) => inner.u32(6).text('timeout').text('').text('').text(''));
      }),
    );
    expect(b.stats).toMatchObject({ lateReplies: 2, pending: 0 });
  });
});

describe('frames: how long they were under way', () => {
  test('a request that may have waited for much longer than its sender does goes back; what is a little late is carried out', async () => {
    const { bench, b, handled, back, heard, publish } = outsider();
    await publish(frame((w) => requestRecord(w, 1, 'first')));
    const echo = { to: heard.session, stamp: heard.stamp };
    await bench.clock.advance(1_500);
    await publish(frame((w) => requestRecord(w, 2, 'put a little late'), echo));
    await bench.clock.advance(1_500);
    await publish(frame((w) => requestRecord(w, 3, 'put that waited'), echo));
    await publish(frame((w) => requestRecord(w, 4, 'put that was held'), { ...echo, heldMs: 3_000 }));
    expect(handled).toEqual(['first', 'put a little late', 'put that was held']);
    expect(back.filter(({ text }) => text === 'again')).toEqual([{ id: 3, text: 'again' }]);
    expect(b.stats.expired).toBe(1);
  });

  test('of a frame without an echo nobody knows the age: what is harmless late is carried out, the rest goes back', async () => {
    const { handled, back, heard, publish } = outsider();
    await publish(frame((w) => requestRecord(w, 1, 'get')));
    await publish(frame((w) => requestRecord(w, 2, 'put')));
    // An echo of a former life of the receiver is none.
    await publish(frame((w) => requestRecord(w, 3, 'put'), { to: (heard.session ^ 1) >>> 0, stamp: heard.stamp }));
    expect(handled).toEqual(['get']);
    expect(back.map(({ id, text }) => `${id} ${text}`)).toEqual(['1 get', '2 again', '3 again']);
  });

  test('the first request of all is carried out after one more round trip, whichever it is', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve((message) => message, { isHarmlessLate: () => false });
    const seen = watch(a.request(at('b'), note('put'), SECOND));
    await bench.turns();
    expect(seen.value && textOf(seen.value)).toBe('put');
    expect([a.stats.framesOut, b.stats.framesOut, b.stats.expired]).toEqual([2, 2, 1]);
    const next = watch(a.request(at('b'), note('put'), SECOND));
    await bench.turns();
    expect(next.value && textOf(next.value)).toBe('put');
    expect([a.stats.framesOut, b.stats.expired, a.stats.pending]).toEqual([3, 1, 0]);
  });

  test('a receiver that slept takes nothing that waited meanwhile, though its monotonic clock stood still', async () => {
    const bench = new LinkBench();
    let sleptMs = 0;
    const clock: Clock = {
      nowMs: () => bench.clock.nowMs(),
      monotonicMs: () => bench.clock.monotonicMs() - sleptMs,
      after: (delayMs, task) => bench.clock.after(delayMs, task),
      defer: (task) => bench.clock.defer(task),
    };
    const [a, b] = [bench.open('a'), bench.open('b', {}, { clock })];
    const handled: string[] = [];
    b.serve((message) => {
      handled.push(textOf(message));
      return message;
    });
    const first = watch(a.request(at('b'), note('before'), SECOND));
    await bench.turns();
    expect(first.value).toBeDefined();
    bench.broker.network.shape(() => 8 * SECOND);
    const late = watch(a.request(at('b'), note('waited'), SECOND));
    await bench.turns();
    bench.broker.network.shape(() => 0);
    sleptMs = 8 * SECOND;
    await bench.clock.advance(8 * SECOND);
    expect(late.code).toBe('timeout');
    expect(handled).toEqual(['before']);
    expect(b.stats.expired).toBe(1);
  });

  test('a peer that can never tell is given up after a few times, and the request was certainly not carried out', async () => {
    const { bench, b } = outsider();
    b.close();
    const a = bench.open('a');
    const bus = bench.broker.connect('deaf');
    bus.subscribe('t.c.link.node.b', ({ payload }) => {
      const reader = new ByteReader(payload);
      const { session, address } = readHeader(reader);
      const ids: number[] = [];
      const ignore = (): void => {};
      readRecords(
        reader,
        {
          ...{
            reply: ignore,
            error: ignore,
            oneWay: ignore,
            fragment: ignore,
            received: ignore,
            again: ignore,
            malformed: ignore,
          },
          request: (_, id) => void ids.push(id),
        },
        undefined,
      );
      const again = frame((w) => ids.forEach((id) => record(w, RECORD.again, (inner) => inner.u32(id))), {
        from: 'node.b',
        to: session,
      });
      bus.publish(`t.c.link.${address}`, again);
    });
    const seen = watch(a.request(at('b'), note('put'), SECOND));
    await bench.turns();
    expect(seen).toMatchObject({ code: 'unavailable', details: { executed: 'no' } });
    expect(a.stats.pending).toBe(0);
  });
});

describe('frames: trust domains', () => {
  const ours: TrustDomain = { mark: 11, knows: (mark) => mark === 11, requires: (address) => address.startsWith('node.') };

  test('who bears our mark is a member, who bears none may be a guest, and what must be ours is refused without it', async () => {
    const { bench, handled, refusals, publish } = outsider(ours);
    await publish(frame((w) => requestRecord(w, 1, 'a'), { mark: 11 }));
    await publish(frame((w) => requestRecord(w, 2, 'b'), { from: 'client.x' }));
    await publish(frame((w) => requestRecord(w, 3, 'c'), { from: 'client.x', mark: 12 }));
    await publish(frame((w) => requestRecord(w, 4, 'd'), { mark: 12 }));
    await publish(frame((w) => requestRecord(w, 5, 'e')));
    expect(handled).toEqual(['a of a member', 'b']);
    expect(refusals).toEqual(Array(3).fill('refused wrong-secret'));
    expect(bench.logged.filter((line) => line.includes('another secret'))).toHaveLength(2);
  });

  test('who holds no secret takes everybody for a guest', async () => {
    const { handled, publish } = outsider();
    await publish(frame((w) => requestRecord(w, 1, 'a'), { mark: 11 }));
    expect(handled).toEqual(['a']);
  });

  test('one with another secret is told at once, and both sides log it once', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a', {}, { domain: { ...ours, mark: 12 } }), bench.open('b', {}, { domain: ours })];
    b.serve((message) => message);
    for (let i = 0; i < 3; i++) {
      const seen = watch(a.request(at('b'), note('x'), SECOND));
      await bench.turns();
      expect(seen).toMatchObject({ code: 'wrong-cluster', details: { executed: 'unknown' } });
    }
    expect(bench.logged.filter((line) => line.startsWith('error: another cluster of this name'))).toHaveLength(2);
  });

  test('where a peer of ours and a stranger listen at one address, the peer answers, and the refusal of the other fails nothing', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a', {}, { domain: ours }), bench.open('b', {}, { domain: ours })];
    b.serve((message) => message);
    expect(textOf(await answered(bench, a.request(at('b'), note('x'), SECOND)))).toBe('x');
    bench.open('b', {}, { domain: { ...ours, mark: 12 } }).serve((message) => message);
    expect(textOf(await answered(bench, a.request(at('b'), note('y'), SECOND)))).toBe('y');
  });
});

describe('frames: strangers', () => {
  test('another cluster: nothing is handled, the sender is told, and it is logged once', async () => {
    const { bench, b, handled, refusals, publish } = outsider();
    for (let i = 0; i < 3; i++) await publish(frame((w) => requestRecord(w, i, 'x'), { cluster: 'other' }));
    expect(handled).toEqual([]);
    expect(refusals).toEqual(Array(3).fill('refused wrong-cluster'));
    expect(b.stats.refusedFrames).toBe(3);
    expect(bench.logged.filter((line) => line.includes('refusing frames'))).toHaveLength(1);
  });

  test('another protocol version: the same, whatever follows the address', async () => {
    const { b, handled, refusals, publish } = outsider();
    await publish(frame((w) => w.raw(new Uint8Array(20).fill(255)), { version: PROTOCOL_VERSION + 1 }));
    await publish(frame(() => {}, { version: 99 }).subarray(0, 11));
    expect(handled).toEqual([]);
    expect(refusals).toEqual(Array(2).fill('refused protocol-mismatch'));
    expect(b.stats).toMatchObject({ refusedFrames: 2, decodeErrors: 0 });
  });

  test('the requester of a refused frame fails at once with that code', async () => {
    const bench = new LinkBench();
    const a = bench.open('a');
    const stranger = bench.broker.connect('stranger');
    stranger.subscribe('t.c.link.node.b', (message) => void message.respond(new TextEncoder().encode('refused wrong-cluster')));
    const seen = watch(a.request(at('b'), note('x'), 60 * SECOND));
    await bench.turns();
    expect(seen).toMatchObject({ code: 'wrong-cluster', details: { executed: 'no' } });
  });

  test('what cannot be decoded: of a request the requester knows that it did not run, of a reply that it may have', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve(({ bytes }) => ({ bytes, garbled: true }));
    const garbledRequest = watch(a.request(at('b'), { bytes: new Uint8Array(0), garbled: true }, SECOND));
    const garbledReply = watch(a.request(at('b'), note('x'), SECOND));
    await bench.turns();
    expect(garbledRequest).toMatchObject({ code: 'protocol-mismatch', details: { executed: 'no' } });
    expect(garbledReply).toMatchObject({ code: 'protocol-mismatch', details: { executed: 'unknown' } });
  });

  test('a refusal that says nothing known changes nothing', async () => {
    const bench = new LinkBench();
    const a = bench.open('a');
    bench.broker
      .connect('s')
      .subscribe('t.c.link.node.b', (message) => void message.respond(new TextEncoder().encode('refused because')));
    const seen = watch(a.request(at('b'), note('x'), 100));
    await bench.turns();
    expect(seen.code).toBeUndefined();
    expect(a.stats.decodeErrors).toBe(1);
    await bench.clock.advance(200);
    expect(seen.code).toBe('timeout');
  });
});

describe('frames: large messages', () => {
  const filled = (size: number): Note => ({ bytes: Uint8Array.from({ length: size }, (_, i) => (i * 7) & 0xff) });

  test.each([900_000, 1_048_576, 1_100_000, 3_000_000, 20_000_000])(
    'a message of %d bytes passes both ways with a 1 MiB bus',
    async (size) => {
      const bench = new LinkBench();
      bench.tap();
      const [a, b] = [bench.open('a'), bench.open('b')];
      b.serve((message) => message);
      const small = [watch(a.request(at('b'), note('before'), SECOND))];
      const seen = watch(a.request(at('b'), filled(size), 10 * SECOND));
      small.push(watch(a.request(at('b'), note('after'), SECOND)));
      await bench.turns();
      expect(Buffer.compare(seen.value?.bytes ?? new Uint8Array(0), filled(size).bytes)).toBe(0);
      expect(small.map(({ value }) => textOf(value as Note))).toEqual(['before', 'after']);
      expect(Math.max(...bench.frames.map(({ payload }) => payload.length))).toBeLessThanOrEqual(1_048_576);
      expect(a.stats.pending).toBe(0);
    },
  );

  test('a bus with a small limit is no obstacle', async () => {
    const bench = new LinkBench(8192);
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve((message) => message);
    const sizes = [100, 5000, 7000, 7168, 8192, 100_000, 1];
    const seen = sizes.map((size) => watch(a.request(at('b'), filled(size), SECOND)));
    await bench.turns();
    expect(seen.map(({ value }) => value?.bytes.length)).toEqual(sizes);
  });

  test('small requests overtake a large one: it goes a window at a time', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a', { fragmentWindowBytes: 300_000 }), bench.open('b')];
    const order: number[] = [];
    b.serve((message) => {
      order.push(message.bytes.length);
      return note('');
    });
    void a.request(at('b'), filled(2_000_000), SECOND);
    void a.request(at('b'), filled(10), SECOND);
    await bench.turns();
    expect(order).toEqual([10, 2_000_000]);
  });

  test('no more than a window is under way to a peer that stands still; small messages still go out, and nothing is lost', async () => {
    const bench = new LinkBench();
    bench.tap();
    const [a, b] = [bench.open('a', { fragmentWindowBytes: 600_000 }), bench.open('b')];
    b.serve((message) => message);
    bench.broker.network.shape((source) => (source === 'b' ? 20 * SECOND : 0));
    const large = watch(a.request(at('b'), filled(2_000_000), 120 * SECOND));
    const sentBytes = (): number => bench.frames.reduce((sum, { payload }) => sum + payload.length, 0);
    await bench.clock.advance(2 * SECOND);
    expect(sentBytes()).toBeLessThan(600_000);
    const small = watch(a.request(at('b'), note('small'), 60 * SECOND));
    await bench.clock.advance(1);
    expect(b.stats.framesIn).toBe(3);
    await bench.clock.advance(4 * SECOND);
    expect(sentBytes()).toBeGreaterThan(600_000);
    expect(sentBytes()).toBeLessThan(1_200_000);
    await bench.clock.advance(100 * SECOND);
    expect(textOf(small.value as Note)).toBe('small');
    expect(large.value?.bytes.length).toBe(2_000_000);
  });

  test('words of what was received may be lost: a later one speaks for them, and if none comes it goes on all the same', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a', { fragmentWindowBytes: 600_000 }), bench.open('b')];
    b.serve(() => note('done'));
    let n = 0;
    bench.broker.network.shape((source) => (source === 'b' && ++n <= 3 ? 'lost' : 0));
    const seen = watch(a.request(at('b'), filled(3_000_000), 60 * SECOND));
    await bench.clock.advance(30 * SECOND);
    expect(textOf(seen.value as Note)).toBe('done');
  });

  test('above the limit of a link: too-large at once, without a byte sent', async () => {
    const bench = new LinkBench();
    const [a] = [bench.open('a', { messageBytes: 2_000_000 }), bench.open('b')];
    const seen = watch(a.request(at('b'), filled(2_000_001), SECOND));
    await bench.turns();
    expect(seen).toMatchObject({ code: 'too-large', details: { executed: 'no' } });
    expect(a.stats).toMatchObject({ framesOut: 0, pending: 0 });
  });

  test('large replies that would wait beyond the limit are answered with overloaded', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b', { largeQueueBytesPerPeer: 4_000_000, fragmentWindowBytes: 1000 })];
    b.serve(() => filled(2_500_000));
    const seen = Array.from({ length: 3 }, () => watch(a.request(at('b'), note('x'), SECOND)));
    await bench.turns();
    expect(seen.map(({ value, code }) => code ?? value?.bytes.length)).toEqual([2_500_000, 'overloaded', 'overloaded']);
  });

  test('a lost fragment: the message is dropped and counted, its requester times out, the next one passes', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve((message) => message);
    let n = 0;
    bench.broker.network.shape((source) => (source === 'a' && ++n === 3 ? 'lost' : 0));
    const lost = watch(a.request(at('b'), filled(2_000_000), 100));
    const kept = watch(a.request(at('b'), filled(2_000_000), 100));
    await bench.clock.advance(200);
    expect([lost.code, kept.value?.bytes.length]).toEqual(['timeout', 2_000_000]);
    expect(b.stats.droppedMessages).toBe(1);
  });

  test('a last fragment that never comes: the rest is dropped when its time is up, and no timer is left', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b', { reassemblyAgeMs: 500 })];
    b.serve((message) => message);
    let n = 0;
    bench.broker.network.shape((source) => (source === 'a' && ++n === 8 ? 'lost' : 0));
    const lost = watch(a.request(at('b'), filled(2_000_000), 100));
    await bench.clock.advance(1000);
    expect(lost.code).toBe('timeout');
    expect(b.stats.droppedMessages).toBe(1);
    await bench.clock.advance(5_000); // what has not been confirmed by then is taken for lost
    expect(bench.clock.pending).toBe(0);
  });

  test('confirmations that never came hold up no large message that is sent long after', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a', { fragmentWindowBytes: 2_200_000 }), bench.open('b')];
    b.serve((message) => message);
    let isCut = true;
    bench.broker.network.shape((source) => (source === 'b' && isCut ? 'lost' : 0));
    const first = watch(a.request(at('b'), filled(2_000_000), 100));
    await bench.clock.advance(12_000);
    expect(first.code).toBe('timeout');
    isCut = false;
    const next = watch(a.request(at('b'), filled(2_000_000), 1_000));
    await bench.clock.advance(100);
    expect(next.value?.bytes.length).toBe(2_000_000);
  });

  test('incomplete messages of all peers share one budget', async () => {
    const bench = new LinkBench();
    const b = bench.open('b', { reassemblyBytes: 3_000_000 });
    b.serve((message) => message);
    const seen = ['p', 'q'].map((name) =>
      watch(bench.open(name, { fragmentWindowBytes: 400_000 }).request(at('b'), filled(2_000_000), 500)),
    );
    await bench.clock.advance(1000);
    const outcomes = seen.map(({ value, code }) => code ?? value?.bytes.length);
    expect(outcomes.sort()).toEqual([2_000_000, 'timeout']);
    expect(b.stats.droppedMessages).toBe(1);
  });

  test('nobody there: a large request fails at once, and the rest of it is not sent', async () => {
    const bench = new LinkBench();
    const a = bench.open('a', { fragmentWindowBytes: 300_000 });
    const seen = watch(a.request(at('nobody'), filled(20_000_000), 60 * SECOND));
    await bench.turns();
    expect(seen).toMatchObject({ code: 'unreachable', details: { executed: 'no' } });
    expect(a.stats.framesOut).toBeLessThan(10);
  });
});

test("a peer's wall clock is what its latest frame said that was not delayed, whatever the century", async () => {
  const { bench, b, heard, publish } = outsider();
  const said = (wallMs: number): Promise<void> => {
    const writer = new ByteWriter();
    writeHeaderPrefix(writer, 'c', 'node.x', 0, 7);
    writeHeaderRest(writer, heard.session, { monotonic: 0, wall: wallMs }, { stamp: heard.stamp, heldMs: 0 });
    return publish(writer.copyOut());
  };
  const clocksOf = (): readonly object[] => [...b.peerClocks()].map(({ address, wallMs }) => ({ address, wallMs }));
  const wallMs = Date.UTC(2222, 1, 3);
  // Of a frame without an echo nobody knows how long it was under way.
  await publish(frame((w) => requestRecord(w, 1, 'x')));
  expect(clocksOf()).toEqual([]);
  await said(wallMs);
  const heardAtMs = bench.clock.monotonicMs();
  expect(clocksOf()).toEqual([{ address: 'node.x', wallMs }]);
  expect([...b.peerClocks()].every((peer) => peer.heardAtMs <= heardAtMs)).toBe(true);
  await bench.clock.advance(3 * SECOND);
  await said(wallMs - 3 * SECOND);
  expect(clocksOf()).toEqual([{ address: 'node.x', wallMs }]);
});
