/**
 * The whole of an endpoint that holds the secret: the gate with its MAC, sessions, replays, records, refusals. An honest peer
 * made by hand speaks to it, and does what the input says.
 */
import { seededRandom, utf8Encode } from '@armature/kernel';
import { LinkEndpoint } from '@armature/bus';
import { RECORD } from '@armature/bus/decoders';
import { linkKeys } from '@armature/coordination';
import { protocolCodec, type Reply, type Request } from '@armature/protocol';
import { noTelemetry, silentLog } from '@armature/runtime';
import { holds, type Target } from '../target.js';
import { OWN, RECORDS, SUBJECTS, u32s } from './frame-samples.js';
import { LonelyBus, messageOf, record, Speaker, StillClock, tampered } from './speaker.js';
import { CLUSTER, SECRET } from './values.js';

const stranger = new Speaker('client.k3j9', OWN, undefined);
const KEYS = linkKeys([SECRET], CLUSTER);
const RAW = 0;
const AUTHENTIC = 1;
const CHANGED = 2;
const TAMPERED = 3;
const REPLAYED = 4;
const REFUSED = 5;
const STATUS_NO_RESPONDERS = 503;

/**
 * An input is a list of acts: kind, length in two bytes, content. Frames as they are, which nobody has sealed; records that a
 * holder of the secret sends; such frames with a header that it should not send, sealed all the same; frames changed after they
 * were sealed; frames once more; refusals. What has no right MAC, or has been seen, is not carried out; and after all of it the
 * endpoint answers another peer as if nothing had been.
 */
export const link: Target = {
  name: 'link',
  what: 'an endpoint of the inner link: MAC, sessions, replays, records, refusals',
  covers: ['bus/LinkEndpoint', 'bus/FrameMac'],
  seeds: () => [
    actsOf([AUTHENTIC, RECORDS[0] as Uint8Array]),
    ...RECORDS.map((one) => actsOf([AUTHENTIC, one], [REPLAYED, Uint8Array.of(0)])),
    actsOf([AUTHENTIC, Buffer.concat(RECORDS)], [TAMPERED, Uint8Array.of(60, 1)], [CHANGED, Uint8Array.of(30, 255)]),
    actsOf([RAW, stranger.frame(RECORDS[0] as Uint8Array)], [REFUSED, utf8Encode('refused wrong-secret')]),
    actsOf([AUTHENTIC, RECORDS[9] as Uint8Array], [AUTHENTIC, RECORDS[10] as Uint8Array]),
  ],
  dense: (sizeBytes) => [
    ...[RECORD.oneWay, RECORD.received, RECORD.again].map((kind) =>
      actsOf(
        ...Array.from({ length: Math.floor(sizeBytes / 60_000) + 1 }, (): [number, Uint8Array] => [
          AUTHENTIC,
          Buffer.concat(Array.from({ length: 3_000 }, () => record(kind, u32s(1, 1)))),
        ]),
      ),
    ),
    actsOf(
      ...Array.from({ length: Math.floor(sizeBytes / 60_000) + 1 }, (_, i): [number, Uint8Array] => [
        AUTHENTIC,
        Buffer.concat(Array.from({ length: 3_000 }, (_none, j) => record(RECORD.fragment, u32s(1, i * 3_000 + j, 0xffffffff)))),
      ]),
    ),
  ],
  run(input) {
    const clock = new StillClock();
    const bus = new LonelyBus();
    let handled = 0;
    const endpoint = LinkEndpoint.open<Request, Reply>(bus, protocolCodec, {
      ...{
        prefix: 'armature',
        cluster: CLUSTER,
        address: OWN,
        keys: KEYS,
        clock,
        random: seededRandom(1),
        log: silentLog,
        telemetry: noTelemetry,
      },
    });
    endpoint.serve((): Reply => {
      handled++;
      return { kind: 'ping' };
    });
    const deliver = (payload: Uint8Array): number => {
      const before = handled;
      bus.handlers.get(SUBJECTS.frames)?.(messageOf(SUBJECTS.frames, payload));
      clock.endTurn();
      return handled - before;
    };
    const [peer, witness] = [new Speaker('node.n2', OWN, KEYS), new Speaker('node.n3', OWN, KEYS)];
    const ping = record(RECORD.request, Buffer.concat([u32s(1, 5_000), Uint8Array.of(10)]));
    const meet = (speaker: Speaker): void => {
      for (let turn = 0; turn < 2; turn++) {
        deliver(speaker.frame(ping));
        speaker.hear(bus.taken());
      }
    };
    meet(peer);
    meet(witness);
    const ways = acts(input, { deliver, hear: () => peer.hear(bus.taken()), peer, bus, clock });
    witness.hear(bus.taken());
    holds(
      deliver(witness.frame(ping)) === 1,
      'an endpoint that does not answer a peer any more because of what another has sent',
    );
    endpoint.close();
    return [...ways].sort().join('; ');
  },
};

interface Stage {
  readonly deliver: (payload: Uint8Array) => number;
  readonly hear: () => void;
  readonly peer: Speaker;
  readonly bus: LonelyBus;
  readonly clock: StillClock;
}

function acts(input: Uint8Array, { deliver, hear, peer, bus, clock }: Stage): Set<string> {
  const ways = new Set<string>();
  const sent: Uint8Array[] = [];
  for (let at = 0; at + 3 <= input.length;) {
    const [kind = 0, low = 0, high = 0] = input.subarray(at, at + 3);
    const content = input.subarray(at + 3, at + 3 + low + 256 * high);
    at += 3 + content.length;
    switch (kind) {
      case AUTHENTIC:
        sent.push(peer.frame(content));
        ways.add(`authentic: ${Math.min(3, deliver(sent.at(-1) as Uint8Array))}`);
        break;
      case CHANGED:
        ways.add(`changed: ${Math.min(3, deliver(peer.frame(RECORDS[0] as Uint8Array, (frame) => tampered(frame, content))))}`);
        break;
      case TAMPERED: {
        const frame = peer.frame(RECORDS[0] as Uint8Array);
        const other = tampered(frame, content);
        holds(deliver(other) === 0 || Buffer.compare(frame, other) === 0, 'a frame that was changed on its way is carried out');
        break;
      }
      case REPLAYED: {
        const frame = sent[content[0] ?? 0];
        if (frame !== undefined) holds(deliver(frame) === 0, 'a frame that was seen before is carried out');
        break;
      }
      case REFUSED:
        bus.handlers.get(SUBJECTS.refusals)?.(
          messageOf(
            `${SUBJECTS.refusals.slice(0, -1)}node.n2.${content[0]}.1`,
            content,
            content[0] === 1 ? STATUS_NO_RESPONDERS : undefined,
          ),
        );
        clock.endTurn();
        break;
      default:
        holds(deliver(content) === 0, 'a frame without the right MAC is carried out');
        ways.add('raw');
    }
    hear();
  }
  return ways;
}

function actsOf(...list: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  return Buffer.concat(
    list.map(([kind, content]) => Buffer.concat([Uint8Array.of(kind, content.length & 0xff, content.length >> 8), content])),
  );
}
