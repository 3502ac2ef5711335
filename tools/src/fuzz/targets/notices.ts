/** What is said on the bus outside of links: claims to a name, and announcements. An input is the kind, and the payload. */
import { parseLinkAddress } from '@armature/bus';
import { presenceKeys } from '@armature/coordination';
import { formatAnnouncement, parseAnnouncement } from '@armature/protocol';
import { formatClaim, judge, parseClaim, type Claim } from '@armature/server/decoders';
import { holds, type Target } from '../target.js';
import { denseJson } from './dense.js';
import { CLUSTER, SECRET } from './values.js';

const KEYS = presenceKeys([SECRET], CLUSTER);
const OWN: Claim = {
  ...{
    address: 'node.n1',
    session: '0011223344556677',
    isOurs: true,
    asks: '',
    answers: '0011',
    ageMs: 5_000,
    isUp: true,
    host: 'host',
    pid: 1,
    startedAt: '2026-01-01T00:00:00.000Z',
  },
};
const GENUINE = Buffer.from(formatClaim(OWN, KEYS));
const KINDS = 2;

const as = (kind: number, payload: Uint8Array): Uint8Array => Buffer.concat([Uint8Array.of(kind), payload]);

export const notices: Target = {
  name: 'notices',
  what: 'what is said on the bus outside of links: claims to names, announcements',
  covers: ['server/parseClaim', 'protocol/parseAnnouncement'],
  words: ['"address":"node.n1"', '"isUp":true', '"ageMs":1e999', 'node.n1 ', '\n', '"__proto__":{'],
  seeds: () => [
    as(0, GENUINE),
    as(0, formatClaim({ ...OWN, session: '8899aabbccddeeff', ageMs: 9_000 }, KEYS)),
    as(1, formatAnnouncement({ address: 'node.n2', fingerprint: 'f'.repeat(32) })),
  ],
  dense: (sizeBytes) => [
    ...denseJson(sizeBytes - 1, 'address').map((payload) => as(0, payload)),
    ...[0, 1].flatMap((kind) => [
      as(kind, Buffer.alloc(sizeBytes - 1, ' ')),
      as(kind, Buffer.alloc(sizeBytes - 1, '\n')),
      as(kind, Buffer.alloc(sizeBytes - 1, '.')),
    ]),
  ],
  run(input) {
    const payload = input.subarray(1);
    return (input[0] ?? 0) % KINDS === 0 ? claim(payload) : announcement(payload);
  },
};

function claim(payload: Uint8Array): string {
  const said = parseClaim(payload, KEYS);
  if (said === undefined) return 'no claim';
  const judgement = judge(OWN, said);
  holds(said.isOurs || judgement === 'stranger' || judgement === 'self', 'a claim of a stranger that somebody heeds');
  const again = parseClaim(formatClaim(said, KEYS), KEYS);
  holds(!said.isOurs || JSON.stringify(again) === JSON.stringify(said), 'a claim that changes when it is said again');
  return `a claim, ${judgement}`;
}

function announcement(payload: Uint8Array): string {
  const said = parseAnnouncement(payload);
  if (said === undefined) return 'no announcement';
  const again = parseAnnouncement(formatAnnouncement(said));
  holds(JSON.stringify(again) === JSON.stringify(said), 'an announcement that changes when it is said again');
  return parseLinkAddress(said.address).ok ? 'an announcement' : 'an announcement of nobody';
}
