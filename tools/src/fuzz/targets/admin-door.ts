/**
 * The door of administration of a router. An input is a list of frames: who sends it, a length in two bytes, and records. There
 * are a viewer, an operator and an administrator, who prove their tokens; the fourth shows claims of his own making, sealed with
 * the viewer's key; the fifth sends frames as they are. Nothing is carried out for the last two, nor what the role of a token
 * does not include, and a change of the membership bears the name of who has the token, whatever it says.
 */
import { ByteWriter, seededRandom, unwrap } from '@armature/kernel';
import { linkAddress } from '@armature/bus';
import { RECORD } from '@armature/bus/decoders';
import type { Membership, View } from '@armature/membership';
import {
  adminAddress,
  leastRoleFor,
  protocolCodec,
  subjectsOf,
  type AdministrationRequest,
  type Reply,
  type Request,
} from '@armature/protocol';
import { allowsRole, deriveTokenKeys, proofOf, sealToken, type Role, type Token } from '@armature/rights';
import { noTelemetry, silentLog } from '@armature/runtime';
import { AdminDoor } from '@armature/server/decoders';
import { holds, type Target } from '../target.js';
import { REQUESTS } from './messages.js';
import { LonelyBus, messageOf, record, Speaker, StillClock } from './speaker.js';
import { CLUSTER, NOW_MS, SECRET } from './values.js';

const SERVER = linkAddress('router', 'r1');
const DOOR = adminAddress(SERVER);
const SUBJECT = subjectsOf('armature', CLUSTER).admin(SERVER);
const KEYS = deriveTokenKeys([SECRET], CLUSTER);
const HEAD_BYTES = 3;
const MICROTASKS = 8;
/** Commands in the words of an outcome. */
const MAX_TOLD = 4;

const HOLDERS = (['viewer', 'operator', 'administrator'] as const satisfies readonly Role[]).map((role) => {
  const token: Token = { subject: `the ${role}`, grants: [], role, expiresAtMs: NOW_MS + 1, generation: 1 };
  const proof = unwrap(proofOf(unwrap(sealToken(token, KEYS)), CLUSTER));
  return { token, shown: record(RECORD.token, proof.claims), key: proof.key };
});
const [VIEWER] = HOLDERS as [(typeof HOLDERS)[0]];
const FORGER = HOLDERS.length;

const asked = (request: Request): Uint8Array => {
  const writer = new ByteWriter().u32(1).u32(5_000);
  protocolCodec.encodeRequest(writer, request);
  return record(RECORD.request, writer.copyOut());
};
const PING = asked({ kind: 'ping' });
const STATUS = asked({ kind: 'status' });

export const adminDoor: Target = {
  name: 'admin-door',
  what: 'the door of administration of a router: commands with a token that has a role, or has none',
  covers: ['server/AdminDoor'],
  seeds: () => [
    ...REQUESTS.flatMap((request) => HOLDERS.map((_holder, who) => said([who, asked(request)]))),
    said([FORGER, VIEWER.shown], [FORGER + 1, STATUS]),
    said(...REQUESTS.map((request, i) => [i % HOLDERS.length, asked(request)] as const)),
    said([2, Buffer.concat(REQUESTS.map(asked))]),
  ],
  dense: (sizeBytes) => {
    const many = Buffer.concat(Array.from({ length: 500 }, () => STATUS));
    return [said(...Array.from({ length: Math.floor(sizeBytes / many.length) }, (): [number, Uint8Array] => [2, many]))];
  },
  async run(input) {
    const clock = new StillClock();
    const bus = new LonelyBus();
    const done: string[] = [];
    const kept = new Set<string>();
    let holder: Token | undefined;
    let answers = 0;
    const view = { cluster: {}, access: { tokens: 'required', revision: 1, generation: 1 } } as unknown as View;
    const membership = { view, refresh: () => Promise.resolve(view) } as Pick<Membership, 'view' | 'refresh'>;
    const door = new AdminDoor({
      ...{ bus, clock, random: seededRandom(1), log: silentLog, telemetry: noTelemetry, prefix: 'armature', cluster: CLUSTER },
      secrets: [SECRET],
      server: SERVER,
      membership,
      answer(request: AdministrationRequest): Reply {
        answers++;
        holds(holder !== undefined, 'a command that nobody who may give it has given');
        holds(allowsRole(holder, leastRoleFor(request)), `a ${request.kind} by somebody whose role does not include it`);
        holds(request.kind !== 'propose' || request.author === holder.subject, 'a change in the name of another');
        if (done.length < MAX_TOLD) done.push(request.kind);
        return { kind: 'ping' };
      },
      keep: ({ outcome }) => {
        kept.add(outcome);
        return Promise.resolve();
      },
    });
    const deliver = async (frame: Uint8Array): Promise<void> => {
      bus.handlers.get(SUBJECT)?.(messageOf(SUBJECT, frame));
      // What a command waits for is there; its answer goes out at the end of the turn.
      for (let turn = 0; turn < MICROTASKS; turn++) await Promise.resolve();
      clock.endTurn();
    };
    const speakers = HOLDERS.map(({ key }, who) => new Speaker(`guest.g.${who}`, DOOR, [key]));
    const say = async (who: number, records: Uint8Array): Promise<void> => {
      const { shown, token } = HOLDERS[who] as (typeof HOLDERS)[0];
      const speaker = speakers[who] as Speaker;
      holder = token;
      await deliver(speaker.frame(Buffer.concat([shown, records])));
      speaker.hear(bus.taken());
      holder = undefined;
    };
    for (let who = 0; who < HOLDERS.length; who++) for (let turn = 0; turn < 2; turn++) await say(who, PING);
    const forger = new Speaker('guest.g.9', DOOR, [VIEWER.key]);
    for (let at = 0; at + HEAD_BYTES <= input.length;) {
      const [who = 0, low = 0, high = 0] = input.subarray(at, at + HEAD_BYTES);
      const content = input.subarray(at + HEAD_BYTES, at + HEAD_BYTES + low + 256 * high);
      at += HEAD_BYTES + content.length;
      if (who < HOLDERS.length) await say(who, content);
      else await deliver(who === FORGER ? forger.frame(Buffer.concat([content, STATUS])) : content);
      bus.taken();
    }
    const before = answers;
    await say(0, STATUS);
    holds(answers === before + 1, 'a door that does not answer any more');
    await door.stop();
    return `carried out: ${done.join(', ')}; recorded: ${[...kept].sort().join(', ')}`;
  },
};

function said(...frames: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  return Buffer.concat(
    frames.map(([who, records]) => Buffer.concat([Uint8Array.of(who, records.length & 0xff, records.length >> 8), records])),
  );
}
