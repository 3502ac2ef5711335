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
import { FrameMac, MAC_BYTES } from './frame-mac.js';
import { at, LinkBench, note, textOf, watch, type Note } from './link.test-support.js';

const SECOND = 1000;

interface Written {
  readonly cluster?: string;
  readonly version?: number;
  readonly from?: string;
  readonly session?: number;
  readonly named?: number;
  readonly sequence?: number;
  readonly wallMs?: number;
  readonly stamp?: number;
  readonly heldMs?: number;
  readonly mac?: FrameMac | undefined;
}

/** A frame as an outsider would write it. */
function frame(records: (writer: ByteWriter) => void, written: Written = {}): Uint8Array {
  const { cluster = 'c', version = PROTOCOL_VERSION, from = 'node.x', mac } = written;
  const { session = 7, named = 0, sequence = 1, wallMs = 0, stamp = 0, heldMs = 0 } = written;
  const writer = new ByteWriter();
  writeHeaderPrefix(writer, cluster, from, mac !== undefined);
  writeHeaderRest(writer, { session, nonce: 8, named, sequence }, { monotonic: 0, wall: wallMs }, { stamp, heldMs });
  records(writer);
  mac?.seal(writer);
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

/**
 * An endpoint `b` that echoes, and an outsider `x` who publishes to it what it likes and sees what comes back. With keys, both
 * hold them.
 */
function outsider(keys?: readonly Uint8Array[]) {
  const bench = new LinkBench();
  const b = bench.open('b', {}, { keys });
  const handled: string[] = [];
  b.serve((message, { token }) => {
    handled.push(token === undefined ? textOf(message) : `${textOf(message)} with ${new TextDecoder().decode(token)}`);
    return message;
  });
  const bus = bench.broker.connect('x');
  const refusals: string[] = [];
  bus.subscribe('t.c.refused.>', ({ payload }) => refusals.push(new TextDecoder().decode(payload)));
  const back: { id: number; text: string }[] = [];
  /** Of the last frame of `b`. */
  const heard = { session: 0, nonce: 0, named: 0, stamp: 0 };
  bus.subscribe('t.c.link.*.*', ({ payload, subject }) => {
    if (subject.endsWith('node.b')) return;
    const reader = new ByteReader(payload);
    const { session, nonce, named, sent, isSealed } = readHeader(reader);
    Object.assign(heard, { session, nonce, named, stamp: sent.monotonic });
    const ignore = (): void => {};
    const visitor: RecordVisitor<undefined> = {
      request: ignore,
      reply: (_, id, body) => void back.push({ id, text: new TextDecoder().decode(body.blob()) }),
      error: (_, id, body) => void back.push({ id, text: `error ${body.text()}` }),
      oneWay: ignore,
      fragment: ignore,
      received: ignore,
      again: (_, id) => void back.push({ id, text: 'again' }),
      token: ignore,
      malformed: ignore,
    };
    readRecords(new ByteReader(payload.subarray(reader.offset, isSealed ? -MAC_BYTES : undefined)), visitor, undefined);
  });
  const publish = async (payload: Uint8Array): Promise<void> => {
    bus.publish('t.c.link.node.b', payload, { reply: 't.c.refused.node.x.node.b.word.1' });
    await bench.turns();
  };
  let sequence = 0;
  const mac = keys === undefined ? undefined : new FrameMac(keys, 'node.x', 'node.b');
  const written = (more: Written): Written => ({ named: heard.nonce, sequence: ++sequence, stamp: heard.stamp, mac, ...more });
  /** The next frame of the outsider, as an honest peer would write it, but for what is given. */
  const next = (records: (writer: ByteWriter) => void, more: Written = {}): Uint8Array => frame(records, written(more));
  const say = (records: (writer: ByteWriter) => void, more: Written = {}): Promise<void> => publish(next(records, more));
  /** First contact: learns the nonce of `b`. */
  const greet = async (): Promise<void> => {
    await say((w) => requestRecord(w, 0, 'hello'));
    back.length = 0;
  };
  return { bench, b, bus, handled, refusals, back, heard, publish, next, say, greet };
}

describe('frames: malformed input', () => {
  test('a malformed record costs no other in its frame', async () => {
    const { b, handled, back, greet, say } = outsider();
    await greet();
    await say((w) => {
      requestRecord(w, 1, 'one');
      record(w, 99, (inner) => inner.u32(5)); // a kind of the future
      record(w, RECORD.request, (inner) => inner.u8(1)); // too short for an id
      record(w, RECORD.request, (inner) => inner.u32(2).u32(SECOND).u8(200)); // a body that is truncated
      requestRecord(w, 3, 'three');
      w.u8(RECORD.request).u32(1_000_000); // longer than the frame
    });
    expect(handled).toEqual(['one', 'three']);
    expect(back).toEqual([
      { id: 1, text: 'one' },
      { id: 2, text: 'error protocol-mismatch' },
      { id: 3, text: 'three' },
    ]);
    expect(b.stats.decodeErrors).toBe(4);
  });

  test('a number of a frame beyond 2^53, which would read as another one, is no number', () => {
    const written = frame(() => undefined, { sequence: 2 ** 53 - 1, wallMs: 2 ** 53 - 1 });
    expect(readHeader(new ByteReader(written))).toMatchObject({ sequence: 2 ** 53 - 1, sent: { wall: 2 ** 53 - 1 } });
    const places = [written.length - 40 + 16, written.length - 40 + 28]; // the high halves
    for (const place of places) {
      const beyond = Uint8Array.from(written);
      new DataView(beyond.buffer).setUint32(place, 2 ** 21, true);
      expect(() => readHeader(new ByteReader(beyond))).toThrow('a number beyond 2^53');
    }
  });

  test('arbitrary bytes never throw out of an endpoint, and it keeps answering', async () => {
    const { bench, b, handled, publish, say, next, greet } = outsider();
    await greet();
    const start = [FRAME_MAGIC, PROTOCOL_VERSION, 1, 'c'.charCodeAt(0), 6, ...Buffer.from('node.x')];
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map((tail) => Uint8Array.from([...start, ...tail])),
      fc
        .array(fc.tuple(fc.integer({ min: 0, max: 7 }), fc.uint8Array({ maxLength: 40 })), { maxLength: 8 })
        .map((records) => next((w) => records.forEach(([kind, content]) => record(w, kind, (inner) => inner.raw(content))))),
    );
    await fc.assert(
      fc.asyncProperty(garbage, async (payload) => {
        await publish(payload);
      }),
      { numRuns: 500 },
    );
    expect(bench.logged.filter((line) => line.startsWith('error'))).toEqual([]);
    const before = handled.length;
    await say((w) => requestRecord(w, 1, 'still here'));
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

  test('what a peer shows to be let in is remembered while its session lasts, and bounded', async () => {
    const { b, handled, greet, say } = outsider();
    const token = (text: string) => (w: ByteWriter) =>
      record(w, RECORD.token, (inner) => inner.raw(new TextEncoder().encode(text)));
    const both = (first: (w: ByteWriter) => void, id: number, text: string) => (w: ByteWriter) => {
      first(w);
      requestRecord(w, id, text);
    };
    await greet();
    await say(both(token('a'), 1, 'one'));
    await say((w) => requestRecord(w, 2, 'two'));
    await say(both(token('b'), 3, 'three'));
    await say(both(token('x'.repeat(5_000)), 4, 'four'));
    expect(handled).toEqual(['one with a', 'two with a', 'three with b', 'four with b']);
    expect(b.stats.decodeErrors).toBe(1);
    await say((w) => requestRecord(w, 0, 'hello'), { session: 9, named: 0 });
    await say((w) => requestRecord(w, 5, 'five'), { session: 9 });
    expect(handled.at(-1)).toBe('five');
  });

  test('claims of huge lengths and counts allocate nothing', async () => {
    const { b, greet, say } = outsider();
    await greet();
    await say((w) => record(w, RECORD.fragment, (inner) => inner.u32(1).u32(0).u32(0xffffffff).raw(new Uint8Array(10))));
    await say((w) =>
      record(w, RECORD.request, (inner) =>
        inner
          .u32(1)
          .u32(1)
          .varint(2 ** 40),
      ),
    );
    expect(b.stats).toMatchObject({ decodeErrors: 1, executing: 0 });
  });

  test('answers that nobody asked for are counted and change nothing', async () => {
    const { b, greet, say } = outsider();
    await greet();
    await say((w) => {
      record(w, RECORD.reply, (inner) => inner.u32(5).blob(new Uint8Array(3)));
      record(w, RECORD.error, (inner) => inner.u32(6).text('timeout').text('').text('').text(''));
    });
    expect(b.stats).toMatchObject({ lateReplies: 2, pending: 0 });
  });
});

describe('frames: how long they were under way', () => {
  test('a request that may have waited for much longer than its sender does goes back; what is a little late is carried out', async () => {
    const { bench, b, handled, back, heard, greet, say } = outsider();
    await greet();
    const { stamp } = heard;
    await bench.clock.advance(1_500);
    await say((w) => requestRecord(w, 2, 'put a little late'), { stamp });
    await bench.clock.advance(1_500);
    await say((w) => requestRecord(w, 3, 'put that waited'), { stamp });
    await say((w) => requestRecord(w, 4, 'put that was held'), { stamp, heldMs: 3_000 });
    expect(handled).toEqual(['put a little late', 'put that was held']);
    expect(back.filter(({ text }) => text === 'again')).toEqual([{ id: 3, text: 'again' }]);
    expect(b.stats.expired).toBe(1);
  });

  test('the first request of all is carried out after one more round trip, whichever it is', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve((message) => message);
    const seen = watch(a.request(at('b'), note('put'), SECOND));
    await bench.turns();
    expect(seen.value && textOf(seen.value)).toBe('put');
    expect([a.stats.framesOut, b.stats.framesOut, b.stats.unconfirmedFrames]).toEqual([2, 2, 1]);
    const next = watch(a.request(at('b'), note('put'), SECOND));
    await bench.turns();
    expect(next.value && textOf(next.value)).toBe('put');
    expect([a.stats.framesOut, b.stats.unconfirmedFrames, a.stats.pending]).toEqual([3, 1, 0]);
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
    let sequence = 0;
    bus.subscribe('t.c.link.node.b', ({ payload }) => {
      const reader = new ByteReader(payload);
      const { nonce, address } = readHeader(reader);
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
            token: ignore,
            malformed: ignore,
          },
          request: (_, id) => void ids.push(id),
        },
        undefined,
      );
      const again = frame((w) => ids.forEach((id) => record(w, RECORD.again, (inner) => inner.u32(id))), {
        from: 'node.b',
        named: nonce,
        sequence: ++sequence,
      });
      bus.publish(`t.c.link.${address}`, again);
    });
    const seen = watch(a.request(at('b'), note('put'), SECOND));
    await bench.turns();
    expect(seen).toMatchObject({ code: 'unavailable', details: { executed: 'no' } });
    expect(a.stats.pending).toBe(0);
  });
});

describe('frames: the secret', () => {
  const [ours, theirs] = [[new Uint8Array(32).fill(1)], [new Uint8Array(32).fill(2)]];

  test('only frames with a MAC of our secret, for us and of their sender, are read', async () => {
    const { bench, handled, refusals, greet, say } = outsider(ours);
    await greet();
    await say((w) => requestRecord(w, 1, 'a'));
    await say((w) => requestRecord(w, 3, 'c'), { mac: new FrameMac(theirs, 'node.x', 'node.b') });
    await say((w) => requestRecord(w, 4, 'd'), { mac: undefined });
    await say((w) => requestRecord(w, 5, 'e'), { mac: new FrameMac(ours, 'node.x', 'node.c') });
    await say((w) => requestRecord(w, 6, 'f'), { from: 'node.y' });
    await say((w) => requestRecord(w, 7, 'g'), { from: 'client.x', mac: undefined });
    expect(handled).toEqual(['a']);
    expect(refusals).toEqual(Array(5).fill('refused wrong-secret'));
    expect(bench.logged.filter((line) => line.includes('another secret'))).toHaveLength(3);
  });

  test('a frame in which any byte was changed is refused, and costs its sender nothing', async () => {
    const { b, handled, next, publish, greet } = outsider(ours);
    await greet();
    const good = next((w) => requestRecord(w, 1, 'good'));
    for (let at = 0; at < good.length; at++) {
      const changed = Uint8Array.from(good);
      changed[at] = (changed[at] as number) ^ 1;
      await publish(changed);
    }
    expect(handled).toEqual([]);
    await publish(good);
    expect(handled).toEqual(['good']);
    expect(b.stats.peers).toBe(1);
  });

  test('while the secret is being changed the first seals and all verify', async () => {
    const bench = new LinkBench();
    const both = bench.open('b', {}, { keys: [...theirs, ...ours] });
    both.serve((message) => message);
    for (const keys of [ours, theirs].map((own) => [...own, ...theirs, ...ours])) {
      const link = bench.open(`a${bench.logged.length}${keys[0] === ours[0] ? 'x' : 'y'}`, {}, { keys });
      expect(textOf(await answered(bench, link.request(at('b'), note('x'), SECOND)))).toBe('x');
    }
  });

  test('who holds no secret takes everybody for a guest', async () => {
    const { handled, greet, say } = outsider();
    await greet();
    await say((w) => requestRecord(w, 1, 'a'), { mac: new FrameMac(theirs, 'node.x', 'node.b') });
    expect(handled).toEqual(['a']);
  });

  test('one with another secret is told at once, and both sides log it once', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a', {}, { keys: theirs }), bench.open('b', {}, { keys: ours })];
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
    const [a, b] = [bench.open('a', {}, { keys: ours }), bench.open('b', {}, { keys: ours })];
    b.serve((message) => message);
    expect(textOf(await answered(bench, a.request(at('b'), note('x'), SECOND)))).toBe('x');
    bench.open('b', {}, { keys: theirs }).serve((message) => message);
    expect(textOf(await answered(bench, a.request(at('b'), note('y'), SECOND)))).toBe('y');
  });
});

describe('frames: recordings', () => {
  const keys = [new Uint8Array(32).fill(1)];

  test('a frame that comes again is dropped, whatever is in it', async () => {
    const { b, handled, next, publish, greet } = outsider(keys);
    await greet();
    const first = next((w) => requestRecord(w, 1, 'once'));
    for (let i = 0; i < 3; i++) await publish(first);
    expect(handled).toEqual(['once']);
    expect(b.stats.replayedFrames).toBe(2);
  });

  test('what a former life of the sender said does nothing to its present one', async () => {
    const { b, handled, say, next, publish, greet } = outsider(keys);
    await greet();
    const recorded = next((w) => requestRecord(w, 1, 'of the former life'));
    await publish(recorded);
    await say((w) => requestRecord(w, 0, 'hello'), { session: 9, named: 0, sequence: 1 });
    await say((w) => requestRecord(w, 2, 'of the present life'), { session: 9, sequence: 2 });
    await publish(recorded);
    await say((w) => requestRecord(w, 3, 'goes on'), { session: 9, sequence: 3 });
    expect(handled).toEqual(['of the former life', 'of the present life', 'goes on']);
    expect(b.stats.unconfirmedFrames).toBe(3);
  });

  test('a receiver that has started anew carries out nothing that was sent to its former life', async () => {
    const { bench, b, handled, bus, say, next, publish, greet } = outsider(keys);
    await greet();
    const recorded = [next((w) => requestRecord(w, 1, 'one')), next((w) => requestRecord(w, 2, 'two'))];
    for (const one of recorded) await publish(one);
    b.close();
    const again = bench.open('b', {}, { keys });
    again.serve((message) => {
      handled.push(textOf(message));
      return message;
    });
    for (const one of recorded) await publish(one);
    expect(handled).toHaveLength(2);
    await say((w) => requestRecord(w, 3, 'three'));
    expect(handled.slice(2)).toEqual(['three']);
    expect(bus.connected).toBe(true);
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

  test('a peer that comes back as another release is told by its second refusal in a row', async () => {
    const bench = new LinkBench();
    const a = bench.open('a');
    const b = bench.open('b');
    b.serve((message) => message);
    await answered(bench, a.request(at('b'), note('x'), SECOND));
    b.close();
    const later = bench.broker.connect('later');
    later.subscribe('t.c.link.node.b', (message) => void message.respond(new TextEncoder().encode('refused protocol-mismatch')));
    const first = watch(a.request(at('b'), note('y'), 60 * SECOND));
    await bench.turns();
    expect(first).not.toHaveProperty('code');
    const second = watch(a.request(at('b'), note('z'), 60 * SECOND));
    await bench.turns();
    expect(second).toMatchObject({ code: 'protocol-mismatch', details: { executed: 'no' } });
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
    await bench.introduce(a, b);
    const { framesIn } = b.stats;
    bench.broker.network.shape((source) => (source === 'b' ? 20 * SECOND : 0));
    const large = watch(a.request(at('b'), filled(2_000_000), 120 * SECOND));
    const sentBytes = (): number => bench.frames.reduce((sum, { payload }) => sum + payload.length, 0);
    await bench.clock.advance(2 * SECOND);
    expect(sentBytes()).toBeLessThan(600_000);
    const small = watch(a.request(at('b'), note('small'), 60 * SECOND));
    await bench.clock.advance(1);
    expect(b.stats.framesIn).toBe(framesIn + 3);
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
    await bench.introduce(a, b);
    let n = 0;
    bench.broker.network.shape((source) => (source === 'b' && ++n <= 3 ? 'lost' : 0));
    const seen = watch(a.request(at('b'), filled(3_000_000), 60 * SECOND));
    await bench.clock.advance(30 * SECOND);
    expect(textOf(seen.value as Note)).toBe('done');
  });

  test('first contact by a large message: it is asked for again, and the rest of it is not sent', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a', { fragmentWindowBytes: 300_000 }), bench.open('b')];
    b.serve((message) => message);
    const seen = watch(a.request(at('b'), filled(3_000_000), 10 * SECOND));
    await bench.turns();
    expect(seen.value?.bytes.length).toBe(3_000_000);
    expect(a.stats.framesOut).toBeLessThan(2 * Math.ceil(3_000_000 / 200_000));
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
    await bench.introduce(a, b);
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
    await bench.introduce(a, b);
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

  test('incomplete messages of all peers share one budget, and who finds no room is told that nothing was done', async () => {
    const bench = new LinkBench();
    const b = bench.open('b', { reassemblyBytes: 3_000_000 });
    b.serve((message) => message);
    const links = ['p', 'q'].map((name) => bench.open(name, { fragmentWindowBytes: 400_000 }));
    for (const link of links) await bench.introduce(link, b);
    const seen = links.map((link) => watch(link.request(at('b'), filled(2_000_000), 500)));
    await bench.clock.advance(1000);
    const outcomes = seen.map(({ value, code }) => code ?? value?.bytes.length);
    expect(outcomes.sort()).toEqual([2_000_000, 'overloaded']);
    expect(seen.find(({ code }) => code === 'overloaded')?.details).toMatchObject({ executed: 'no' });
    expect(b.stats.droppedMessages).toBe(1);
  });

  test('an endpoint may take smaller messages than it sends: who asks with a larger one is told, replies may be larger', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b', { incomingBytes: 1_000_000 })];
    b.serve((message) => (message.bytes.length > 1_000 ? message : filled(3_000_000)));
    await bench.introduce(a, b);
    const [large, small] = [filled(2_000_000), note('x')].map((message) => watch(a.request(at('b'), message, 60 * SECOND)));
    await bench.clock.advance(1_000);
    expect(large).toMatchObject({ code: 'too-large', details: { executed: 'no', maxMessageBytes: 1_000_000 } });
    expect(small?.value?.bytes.length).toBe(3_000_000);
  });

  test('whoever sends fragments that lead nowhere fills no log: one warning a second', async () => {
    const { bench, greet, say } = outsider();
    await greet();
    for (let message = 0; message < 50; message++)
      await say((w) => record(w, RECORD.fragment, (inner) => inner.u32(message).u32(1).u32(2).raw(Uint8Array.of(1))));
    const warnings = bench.logged.filter((line) => line.includes('dropping a large message'));
    expect(warnings.filter((line) => line.startsWith('warn'))).toHaveLength(1);
    expect(warnings).toHaveLength(50);
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
  const { bench, b, say } = outsider();
  const said = (wallMs: number): Promise<void> => say((w) => requestRecord(w, 1, 'x'), { wallMs });
  const clocksOf = (): readonly object[] => [...b.peerClocks()].map(({ address, wallMs }) => ({ address, wallMs }));
  const wallMs = Date.UTC(2222, 1, 3);
  // Of a session that is not known nobody can tell how long the frame was under way.
  await said(wallMs);
  expect(clocksOf()).toEqual([]);
  await said(wallMs);
  const heardAtMs = bench.clock.monotonicMs();
  expect(clocksOf()).toEqual([{ address: 'node.x', wallMs }]);
  expect([...b.peerClocks()].every((peer) => peer.heardAtMs <= heardAtMs)).toBe(true);
  await bench.clock.advance(3 * SECOND);
  await said(wallMs - 3 * SECOND);
  expect(clocksOf()).toEqual([{ address: 'node.x', wallMs }]);
});
