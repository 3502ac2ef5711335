/**
 * The front door of a router. An input is a list of frames: a door (bucket, right, whether the application shows a token), a
 * length in two bytes, and records. Whatever they are, the router is asked for nothing but reads, writes and listings of the
 * bucket and the right of the door, which the gate has allowed; what the application says of the ring is not passed on; and an
 * application that does nothing wrong is answered after all of it.
 */
import { ArmatureError, ByteWriter, seededRandom, utf8Encode } from '@armature/kernel';
import { linkAddress } from '@armature/bus';
import { RECORD } from '@armature/bus/decoders';
import type { Membership, View } from '@armature/membership';
import {
  FRONT_RIGHTS,
  frontAddress,
  parseFrontAddress,
  protocolCodec,
  RING_UNKNOWN,
  wishOf,
  type FrontRequest,
  type FrontRight,
  type Reply,
  type Request,
} from '@armature/protocol';
import { noTelemetry, silentLog } from '@armature/runtime';
import { FrontDoor } from '@armature/server/decoders';
import { holds, type Target } from '../target.js';
import { REQUESTS } from './messages.js';
import { LonelyBus, messageOf, record, Speaker, StillClock } from './speaker.js';
import { BUCKET, CLUSTER, OTHER_BUCKET } from './values.js';

const SERVER = linkAddress('router', 'r1');
const BUCKETS = [BUCKET, OTHER_BUCKET, 'unknown' as typeof BUCKET];
const FRONTS = `armature.${CLUSTER}.link.front.*.*.${SERVER}`;
const HEAD_BYTES = 3;
const TOKEN = utf8Encode('armt1.fuzz');

const requestRecord = (request: Request): Uint8Array => {
  const writer = new ByteWriter().u32(1).u32(5_000);
  protocolCodec.encodeRequest(writer, request);
  return record(RECORD.request, writer.copyOut());
};

/** The doors that an input may choose from. */
const DOORS = BUCKETS.flatMap((bucket) => FRONT_RIGHTS.map((right) => ({ bucket, right })));

const KINDS = ['fetch', 'write', 'scan'] as const satisfies readonly FrontRequest['kind'][];
const doorOf = (request: FrontRequest): number => {
  const { bucket, right } = wishOf(request);
  return DOORS.findIndex((door) => door.bucket === bucket && door.right === right);
};
const isFront = (request: Request): request is FrontRequest => (KINDS as readonly string[]).includes(request.kind);
const FRONT_REQUESTS = REQUESTS.filter(isFront);

export const frontDoor: Target = {
  name: 'front-door',
  what: 'the front door of a router: frames of applications without the secret',
  covers: ['server/FrontDoor', 'protocol/parseFrontAddress'],
  seeds: () => [
    ...FRONT_REQUESTS.map((request) => said([doorOf(request), requestRecord(request)])),
    ...REQUESTS.map((request, i) => said([i % DOORS.length, requestRecord(request)])),
    said(
      ...FRONT_REQUESTS.map(
        (request) => [doorOf(request), Buffer.concat([record(RECORD.token, TOKEN), requestRecord(request)])] as const,
      ),
    ),
    said([0, record(RECORD.fragment, Buffer.concat([new ByteWriter().u32(0).u32(0).u32(2).copyOut(), Uint8Array.of(1)]))]),
  ],
  dense: (sizeBytes) => {
    const perFrame = 60_000;
    const many = (one: Uint8Array): Uint8Array =>
      said(
        ...Array.from({ length: Math.floor(sizeBytes / perFrame) + 1 }, (): [number, Uint8Array] => [
          0,
          Buffer.concat(Array.from({ length: Math.floor(perFrame / one.length) }, () => one)),
        ]),
      );
    const answered = (kind: Request['kind']): Uint8Array => requestRecord(REQUESTS.find((one) => one.kind === kind) as Request);
    return [many(answered('note')), many(answered('sets')), many(answered('gossip')), many(record(RECORD.token, TOKEN))];
  },
  async run(input) {
    const clock = new StillClock();
    const bus = new LonelyBus();
    const asked: FrontRequest[] = [];
    let door = DOORS[0] as (typeof DOORS)[0];
    let allowed: unknown;
    const view = { buckets: new Map([BUCKET, OTHER_BUCKET].map((bucket) => [bucket, {}])), cluster: {} } as unknown as View;
    const membership = { view, refresh: () => Promise.resolve(view) } as Pick<Membership, 'view' | 'refresh'>;
    const front = new FrontDoor({
      ...{
        bus,
        clock,
        random: seededRandom(1),
        log: silentLog,
        telemetry: noTelemetry,
        prefix: 'armature',
        cluster: CLUSTER,
        server: SERVER,
        membership,
      },
      authorize(bucket, right, key, token) {
        allowed = { bucket, right };
        holds((key === undefined) === (right === 'list'), 'a key that the gate was not told of');
        return token === undefined && right === 'write' ? new ArmatureError('unauthenticated', 'no token') : undefined;
      },
      answer(request): Reply {
        const { bucket, right } = wishOf(request);
        holds(bucket === door.bucket && right === door.right, `a request of another door is carried out: ${right} in ${bucket}`);
        holds(JSON.stringify(allowed) === JSON.stringify({ bucket, right }), 'a request that the gate was not asked about');
        holds(
          request.kind !== 'write' || (request.ring === RING_UNKNOWN && request.standIn !== true),
          'an application that says what the ring is',
        );
        asked.push(request);
        throw new ArmatureError('unavailable', 'this router only looks');
      },
    });
    const speakers = new Map<string, Speaker>();
    const say = (to: { readonly bucket: typeof BUCKET; readonly right: FrontRight }, records: Uint8Array): void => {
      const address = frontAddress(to.bucket, to.right, SERVER);
      const speaker = speakers.get(address) ?? new Speaker('guest.g1', address, undefined);
      speakers.set(address, speaker);
      allowed = undefined;
      const subject = `armature.${CLUSTER}.link.${address}`;
      bus.handlers.get(FRONTS)?.(messageOf(subject, speaker.frame(records)));
      clock.endTurn();
      speaker.hear(bus.taken());
    };
    const meet = (to: (typeof DOORS)[0]): void => {
      if (!speakers.has(frontAddress(to.bucket, to.right, SERVER))) for (let turn = 0; turn < 2; turn++) say(to, PING);
    };
    for (let at = 0; at + HEAD_BYTES <= input.length;) {
      const [which = 0, low = 0, high = 0] = input.subarray(at, at + HEAD_BYTES);
      const records = input.subarray(at + HEAD_BYTES, at + HEAD_BYTES + low + 256 * high);
      at += HEAD_BYTES + records.length;
      door = DOORS[which % DOORS.length] as (typeof DOORS)[0];
      meet(door);
      say(door, records);
      if (which >= DOORS.length) parseFrontAddress(Buffer.from(records).toString('latin1'));
    }
    const carriedOut = [...new Set(asked.map(({ kind }) => kind))].sort().join(', ');
    door = DOORS[0] as (typeof DOORS)[0];
    const before = asked.length;
    meet(door);
    say(door, requestRecord(FRONT_REQUESTS[0] as FrontRequest));
    holds(asked.length === before + 1, 'a front door that does not answer any more');
    await front.stop();
    return `asked for ${carriedOut === '' ? 'nothing' : carriedOut}`;
  },
};

const PING = requestRecord({ kind: 'ping' });

function said(...frames: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  return Buffer.concat(
    frames.map(([door, records]) => Buffer.concat([Uint8Array.of(door, records.length & 0xff, records.length >> 8), records])),
  );
}
