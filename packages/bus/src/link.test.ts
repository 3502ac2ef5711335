import { ArmatureError } from '@armature/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { at, LinkBench, note, textOf, watch, type Note } from './link.test-support.js';

const SECOND = 1000;

describe('link: requests', () => {
  test('a request gets its reply, and the handler learns who asked and how long it waits', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    const asked: unknown[] = [];
    b.serve((message, from) => {
      asked.push([textOf(message), from.address, from.remainingMs]);
      return note(`${textOf(message)}!`);
    });
    const seen = watch(a.request(at('b'), note('hello'), SECOND));
    await bench.turns();
    expect(textOf(seen.value as Note)).toBe('hello!');
    expect(asked).toEqual([['hello', 'node.a', SECOND]]);
    expect(a.stats.pending).toBe(0);
  });

  test('everything that one turn sends to one peer travels in one frame, as do the replies', async () => {
    const bench = new LinkBench();
    bench.tap();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve((message) => message);
    await bench.introduce(a, b);
    const { framesOut, framesIn, recordsOut } = a.stats;
    const seen = Array.from({ length: 500 }, (_, i) => watch(a.request(at('b'), note(String(i)), SECOND)));
    await bench.turns();
    expect(seen.map(({ value }) => textOf(value as Note))).toEqual(seen.map((_, i) => String(i)));
    expect(bench.frames.map(({ subject }) => subject)).toEqual(['t.c.link.node.b', 't.c.link.node.a']);
    expect(a.stats).toMatchObject({ framesOut: framesOut + 1, recordsOut: recordsOut + 500, framesIn: framesIn + 1, pending: 0 });
    expect(bench.telemetry.value('armature_link_records_total{direction="in",role="node"}')).toBe(
      a.stats.recordsIn + b.stats.recordsIn,
    );
  });

  test('a frame is sent when it is full of records, without waiting for the end of the turn', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a', { frameRecords: 10 }), bench.open('b', { frameRecords: 10 })];
    b.serve((message) => message);
    await bench.introduce(a, b);
    const { framesOut } = a.stats;
    const seen = Array.from({ length: 25 }, () => watch(a.request(at('b'), note('x'), SECOND)));
    expect(a.stats.framesOut).toBe(framesOut + 2);
    await bench.turns();
    expect(a.stats.framesOut).toBe(framesOut + 3);
    expect(seen.every(({ value }) => value !== undefined)).toBe(true);
  });

  test('a frame is sent when it is full of bytes; one that passes the mark still leaves in one piece', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a', { frameBytes: 1000 }), bench.open('b')];
    b.serve((message) => message);
    await bench.introduce(a, b);
    const { framesOut, recordsOut } = a.stats;
    const seen = [400, 400, 400, 9000, 1].map((size) => watch(a.request(at('b'), { bytes: new Uint8Array(size) }, SECOND)));
    expect(a.stats).toMatchObject({ framesOut: framesOut + 2, recordsOut: recordsOut + 4 });
    await bench.turns();
    expect(a.stats).toMatchObject({ framesOut: framesOut + 3, recordsOut: recordsOut + 5 });
    expect(seen.every(({ value }) => value !== undefined)).toBe(true);
  });

  test('a handler may answer later, in any order', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve((message) => new Promise((resolve) => void bench.clock.after(Number(textOf(message)), () => resolve(message))));
    const slow = watch(a.request(at('b'), note('40'), SECOND));
    const quick = watch(a.request(at('b'), note('20'), SECOND));
    await bench.clock.advance(30);
    expect([slow.value, textOf(quick.value as Note)]).toEqual([undefined, '20']);
    expect(b.stats.executing).toBe(1);
    await bench.clock.advance(30);
    expect(textOf(slow.value as Note)).toBe('40');
    expect(b.stats.executing).toBe(0);
  });

  test('an endpoint can ask itself', async () => {
    const bench = new LinkBench();
    const a = bench.open('a');
    a.serve((message) => message);
    const seen = watch(a.request(at('a'), note('me'), SECOND));
    await bench.turns();
    expect(textOf(seen.value as Note)).toBe('me');
  });

  test('one-way messages arrive in order and are answered by nobody', async () => {
    const bench = new LinkBench();
    bench.tap();
    const [a, b] = [bench.open('a'), bench.open('b')];
    const got: string[] = [];
    b.serve((message, from) => {
      got.push(`${textOf(message)} ${from.remainingMs}`);
      return message;
    });
    await bench.introduce(a, b);
    got.length = 0;
    for (const text of ['1', '2', '3']) a.send(at('b'), note(text));
    await bench.turns();
    expect(got).toEqual(['1 Infinity', '2 Infinity', '3 Infinity']);
    expect(bench.frames).toHaveLength(1);
  });
});

describe('link: errors of the peer', () => {
  test.each(['thrown', 'rejected'])('an ArmatureError that is %s arrives with code, message, remedy and details', async (how) => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    const raised = new ArmatureError('stale-ring', 'ring 7 is not ring 8', { remedy: 'Refresh.', details: { version: 8 } });
    b.serve(() => {
      if (how === 'thrown') throw raised;
      return Promise.reject(raised);
    });
    const answer = a.request(at('b'), note('x'), SECOND);
    const checked = expect(answer).rejects.toMatchObject({
      code: 'stale-ring',
      message: raised.message,
      remedy: 'Refresh.',
      details: { version: 8 },
    });
    await bench.turns();
    await checked;
  });

  test('anything else that is thrown arrives as internal, and is logged where it happened', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve(() => {
      throw new TypeError('a bug on purpose');
    });
    const seen = watch(a.request(at('b'), note('x'), SECOND));
    await bench.turns();
    expect(seen.code).toBe('internal');
    expect(bench.logged).toContain('error: answering a request failed');
  });

  test('details that are cyclic or large are left out; the error still arrives', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    b.serve((message) => {
      const details = textOf(message) === 'cyclic' ? cyclic : { text: 'x'.repeat(100_000) };
      throw new ArmatureError('unavailable', 'y'.repeat(100_000), { details });
    });
    const seen = ['cyclic', 'large'].map((text) => watch(a.request(at('b'), note(text), SECOND)));
    await bench.turns();
    expect(seen.map(({ code, details }) => [code, details])).toEqual(Array(2).fill(['unavailable', {}]));
    expect(b.stats.bytesOut).toBeLessThan(10_000);
  });

  test('a reply that cannot be encoded, or is too large, is an error to its requester and harms no other', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b', { messageBytes: 4_000_000 })];
    b.serve((message) => {
      if (textOf(message) === 'unencodable') return { ...message, unencodable: true };
      return textOf(message) === 'large' ? { bytes: new Uint8Array(5_000_000) } : message;
    });
    const seen = ['one', 'unencodable', 'two', 'large', 'three'].map((text) => watch(a.request(at('b'), note(text), SECOND)));
    await bench.turns();
    expect(seen.map(({ value, code }) => code ?? textOf(value as Note))).toEqual([
      'one',
      'internal',
      'two',
      'too-large',
      'three',
    ]);
  });

  test('an endpoint that serves nothing says so at once', async () => {
    const bench = new LinkBench();
    const a = bench.open('a');
    bench.open('b');
    const seen = watch(a.request(at('b'), note('x'), SECOND));
    await bench.turns();
    expect(seen).toMatchObject({ code: 'unreachable', details: { executed: 'no' } });
  });
});

describe('link: errors of the link', () => {
  test('nobody at the address: unreachable at once, and certainly not executed', async () => {
    const bench = new LinkBench();
    const a = bench.open('a');
    const seen = watch(a.request(at('nobody'), note('x'), 60 * SECOND));
    await bench.turns();
    expect(seen).toMatchObject({ code: 'unreachable', details: { executed: 'no', peer: 'node.nobody' } });
    expect(a.stats).toMatchObject({ pending: 0, unreachable: 1 });
  });

  test('a peer that dies: what it had in hand fails with the next frame that nobody takes, as perhaps executed', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve(() => new Promise(() => {}));
    const inHand = watch(a.request(at('b'), note('1'), 60 * SECOND));
    await bench.turns();
    b.close();
    const next = watch(a.request(at('b'), note('2'), 60 * SECOND));
    await bench.turns();
    expect(inHand).toMatchObject({ code: 'unreachable', details: { executed: 'unknown' } });
    expect(next).toMatchObject({ code: 'unreachable', details: { executed: 'no' } });
  });

  test('no answer: timeout, not before its time and not much after', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve(() => new Promise(() => {}));
    const waits = [300, 50, 7, 1000].map((timeoutMs) => ({ timeoutMs, seen: watch(a.request(at('b'), note('x'), timeoutMs)) }));
    for (let ms = 1; ms <= 1011; ms++) {
      await bench.clock.advance(1);
      for (const { timeoutMs, seen } of waits) {
        if (ms < timeoutMs) expect(seen.code).toBeUndefined();
        if (ms > timeoutMs + 10) expect(seen.code).toBe('timeout');
      }
    }
    expect(a.stats).toMatchObject({ timeouts: 4, pending: 0 });
    expect(bench.clock.pending).toBe(0);
  });

  test('after a pause of this process, answers that came meanwhile count, and what is still silent has timed out', async () => {
    const bench = new LinkBench();
    let stoodStillMs = 0;
    const stalling = {
      nowMs: () => bench.clock.nowMs() + stoodStillMs,
      monotonicMs: () => bench.clock.monotonicMs() + stoodStillMs,
      after: (delayMs: number, task: () => void) => bench.clock.after(delayMs, task),
      defer: (task: () => void) => bench.clock.defer(task),
    };
    const [a, b] = [bench.open('a', {}, { clock: stalling }), bench.open('b')];
    // The order of things after a pause: timers first, and what has waited to be read a moment after them.
    b.serve((message) =>
      textOf(message) === 'silence'
        ? new Promise(() => {})
        : new Promise((resolve) => void bench.clock.after(303, () => resolve(message))),
    );
    const [answered, silent] = [watch(a.request(at('b'), note('x'), 300)), watch(a.request(at('b'), note('silence'), 300))];
    await bench.clock.advance(100);
    stoodStillMs = 2 * SECOND;
    await bench.clock.advance(220);
    expect(textOf(answered.value as Note)).toBe('x');
    expect(silent.code).toBe('timeout');
    expect(a.stats).toMatchObject({ timeouts: 1, pending: 0 });
  });

  test('steady traffic needs few timers: one per timeout, not one per request', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve((message) => message);
    for (let i = 0; i < 100; i++) {
      void a.request(at('b'), note('x'), 10 * SECOND);
      await bench.turns();
    }
    expect(bench.clock.pending).toBe(1);
    await bench.clock.advance(11 * SECOND);
    expect(bench.clock.pending).toBe(0);
  });

  test('a stream of requests with short timeouts does not put off the first ones', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve(() => new Promise(() => {}));
    const first = watch(a.request(at('b'), note('x'), 3));
    for (let ms = 0; ms < 20; ms++) {
      a.request(at('b'), note('x'), 3).catch(() => undefined);
      await bench.clock.advance(1);
    }
    expect(first.code).toBe('timeout');
  });

  test('an answer after the deadline is counted and goes nowhere', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve((message) => new Promise((resolve) => void bench.clock.after(100, () => resolve(message))));
    const seen = watch(a.request(at('b'), note('x'), 50));
    await bench.clock.advance(200);
    expect(seen.code).toBe('timeout');
    expect(a.stats.lateReplies).toBe(1);
  });

  test('an answer to a former life with the same address is not mistaken for one of this life', async () => {
    const bench = new LinkBench();
    const [first, b] = [bench.open('a'), bench.open('b')];
    b.serve((message) => new Promise((resolve) => void bench.clock.after(100, () => resolve(message))));
    void first.request(at('b'), note('former'), SECOND).catch(() => undefined);
    await bench.turns();
    first.close();
    const second = bench.open('a');
    const seen = watch(second.request(at('b'), note('present'), SECOND));
    await bench.clock.advance(300);
    expect(textOf(seen.value as Note)).toBe('present');
    expect(second.stats).toMatchObject({ recordsIn: 2, lateReplies: 0 }); // the request came back once: first contact
  });

  test('pending requests are bounded per peer, and a refused one leaves nothing behind', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a', { pendingPerPeer: 3 }), bench.open('b')];
    b.serve((message) => new Promise((resolve) => void bench.clock.after(10, () => resolve(message))));
    const seen = Array.from({ length: 5 }, () => watch(a.request(at('b'), note('x'), SECOND)));
    await bench.turns();
    expect(seen.map(({ code }) => code)).toEqual([undefined, undefined, undefined, 'overloaded', 'overloaded']);
    expect(seen[4]?.details).toMatchObject({ executed: 'no', retryAfterMs: expect.any(Number) as number });
    await bench.clock.advance(50);
    const later = watch(a.request(at('b'), note('x'), SECOND));
    await bench.clock.advance(50);
    expect(later.value).toBeDefined();
  });

  test('bytes in flight are bounded, but a single larger request passes', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a', { pendingBytesPerPeer: 1000 }), bench.open('b')];
    b.serve((message) => new Promise((resolve) => void bench.clock.after(10, () => resolve(message))));
    const seen = [5000, 1].map((size) => watch(a.request(at('b'), { bytes: new Uint8Array(size) }, SECOND)));
    await bench.clock.advance(50);
    expect(seen.map(({ value, code }) => code ?? value?.bytes.length)).toEqual([5000, 'overloaded']);
  });

  test('requests in hand are bounded: the peer answers overloaded', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b', { executing: 2 })];
    b.serve((message) => new Promise((resolve) => void bench.clock.after(10, () => resolve(message))));
    const seen = Array.from({ length: 3 }, () => watch(a.request(at('b'), note('x'), SECOND)));
    await bench.clock.advance(50);
    expect(seen.map(({ code }) => code)).toEqual([undefined, undefined, 'overloaded']);
    expect(b.stats.overloaded).toBe(1);
  });

  test('a message that cannot be encoded fails alone', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve((message) => message);
    const seen = [note('1'), { ...note('2'), unencodable: true }, note('3')].map((n) => watch(a.request(at('b'), n, SECOND)));
    await bench.turns();
    expect(seen.map(({ value, code }) => code ?? textOf(value as Note))).toEqual(['1', 'internal', '3']);
  });

  test('the bus goes away: pending fail at once, new ones fail fast, and all is well when it is back', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    let answer = false;
    b.serve((message) => (answer ? message : new Promise<Note>(() => {})));
    const inHand = watch(a.request(at('b'), note('1'), 60 * SECOND));
    await bench.turns();
    const unsent = watch(a.request(at('b'), note('2'), 60 * SECOND));
    bench.broker.stop();
    await bench.turns();
    const during = watch(a.request(at('b'), note('3'), 60 * SECOND));
    await bench.turns();
    expect([inHand.code, unsent.code, during.code]).toEqual(Array(3).fill('bus-unavailable'));
    expect(inHand.details).toEqual({ executed: 'unknown' });
    expect(during.details).toEqual({ executed: 'no' });
    answer = true;
    bench.broker.start();
    const after = watch(a.request(at('b'), note('4'), SECOND));
    await bench.turns();
    expect(textOf(after.value as Note)).toBe('4');
  });

  test('a refusal of a frame of a former life with the same address changes nothing', async () => {
    const bench = new LinkBench();
    const [first, b] = [bench.open('a'), bench.open('b')];
    void first.request(at('nobody'), note('x'), SECOND).catch(() => undefined);
    first.close();
    const second = bench.open('a');
    b.serve(() => new Promise(() => {}));
    const seen = watch(second.request(at('b'), note('x'), SECOND));
    bench.broker.connect('s').publish('t.c.refused.node.a.1.node.b.99', new TextEncoder().encode('refused wrong-cluster'));
    await bench.turns();
    expect(seen.code).toBeUndefined();
    expect(second.stats.decodeErrors).toBe(0);
  });

  test('a lost frame costs its requests their time, and no others', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve((message) => message);
    bench.broker.network.cut('a', 'b');
    const lost = watch(a.request(at('b'), note('1'), 100));
    await bench.turns();
    bench.broker.network.healAll();
    const kept = watch(a.request(at('b'), note('2'), 100));
    await bench.clock.advance(200);
    expect([lost.code, textOf(kept.value as Note)]).toEqual(['timeout', '2']);
  });
});

describe('link: life cycle', () => {
  test('close: pending requests fail, later ones too, and no timer is left', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b')];
    b.serve(() => new Promise(() => {}));
    const seen = watch(a.request(at('b'), note('x'), SECOND));
    await bench.turns();
    a.close();
    a.close();
    const later = watch(a.request(at('b'), note('x'), SECOND));
    await bench.turns();
    expect([seen.code, later.code]).toEqual(['closed', 'closed']);
    expect(bench.clock.pending).toBe(0);
  });

  test('drain: what is in hand is answered, also what needs others for it; new requests are refused as not executed', async () => {
    const bench = new LinkBench();
    const [a, b, c] = [bench.open('a'), bench.open('b'), bench.open('c')];
    c.serve((message) => message);
    b.serve(async (message) => {
      await new Promise<void>((resolve) => void bench.clock.after(50, resolve));
      return b.request(at('c'), message, SECOND);
    });
    const inHand = watch(a.request(at('b'), note('1'), SECOND));
    await bench.turns();
    const drained = b.drain();
    const refused = watch(a.request(at('b'), note('2'), SECOND));
    await bench.clock.advance(100);
    await drained;
    const gone = watch(a.request(at('b'), note('3'), SECOND));
    await bench.turns();
    expect(textOf(inHand.value as Note)).toBe('1');
    expect(refused).toMatchObject({ code: 'unreachable', details: { executed: 'no' } });
    expect(gone).toMatchObject({ code: 'unreachable', details: { executed: 'no' } });
  });

  test('drain: a handler that never answers delays it only so long', async () => {
    const bench = new LinkBench();
    const [a, b] = [bench.open('a'), bench.open('b', { drainMs: 500 })];
    b.serve(() => new Promise(() => {}));
    void a.request(at('b'), note('1'), 60 * SECOND).catch(() => undefined);
    await bench.turns();
    let drained = false;
    void b.drain().then(() => (drained = true));
    await bench.clock.advance(400);
    expect(drained).toBe(false);
    await bench.clock.advance(200);
    expect(drained).toBe(true);
  });

  test('idle peers are forgotten when there are too many; busy ones are not, and then new ones are refused', async () => {
    const bench = new LinkBench();
    const a = bench.open('a', { peers: 2 });
    const others = ['p', 'q', 'r', 's'].map((name) => bench.open(name));
    for (const other of others) other.serve((message) => message);
    for (const name of ['p', 'q', 'r', 's']) {
      const seen = watch(a.request(at(name), note(name), SECOND));
      await bench.turns();
      expect(textOf(seen.value as Note)).toBe(name);
    }
    expect(a.stats.peers).toBeLessThanOrEqual(2);
    const codes = ['p', 'q', 'r'].map((name) => watch(a.request(at(name), note(name), SECOND)));
    await bench.turns();
    expect(codes.map(({ code }) => code)).toEqual([undefined, undefined, 'overloaded']);
  });
});

describe('link: any traffic', () => {
  test('every request settles exactly once, with its own reply or a typed error, whatever the network loses or delays', async () => {
    const fate = fc.oneof(fc.constant('lost' as const), fc.nat(120));
    const request = fc.record({
      size: fc.oneof(fc.nat(200), fc.nat(40_000)),
      timeoutMs: fc.integer({ min: 1, max: 300 }),
      gapMs: fc.nat(20),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fate, { minLength: 1, maxLength: 20 }),
        fc.array(request, { maxLength: 40 }),
        async (fates, requests) => {
          const bench = new LinkBench(16_384);
          const [a, b] = [bench.open('a'), bench.open('b')];
          let n = 0;
          bench.broker.network.shape((_source, target) =>
            target === 'tap' ? 0 : (fates[n++ % fates.length] as number | 'lost'),
          );
          b.serve((message) => message);
          const seen = [];
          for (const { size, timeoutMs, gapMs } of requests) {
            const sent = Uint8Array.from({ length: size }, (_, i) => (i * 31 + seen.length) & 0xff);
            seen.push({ sent, outcome: watch(a.request(at('b'), { bytes: sent }, timeoutMs)) });
            await bench.clock.advance(gapMs);
          }
          await bench.clock.advance(1000);
          for (const { sent, outcome } of seen) {
            if (outcome.value === undefined) expect(outcome.code).toBe('timeout');
            else expect(Buffer.compare(outcome.value.bytes, sent)).toBe(0);
          }
          expect(a.stats.pending).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});
