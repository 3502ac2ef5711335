/**
 * What the cluster seals and takes back from outside: contexts and tokens. The first byte of an input says what the rest is:
 *
 *   0  the sealed bytes themselves, as somebody sends them. What nobody has sealed must be refused: that is the whole of what a
 *      seal is for.
 *   1  contents, to which the target makes the right MAC, as another version of ours might: it must be refused in words, or taken
 *      and sealed to the same bytes again.
 *   2  the text form.
 */
import { createHmac } from 'node:crypto';
import { ByteWriter, HLC_ZERO, hlcFromMs, toBase64Url, utf8Decode, utf8Encode, type Secrets } from '@armature/kernel';
import {
  authorize,
  checkedToken,
  deriveTokenKeys,
  EVERY_BUCKET,
  grantText,
  openToken,
  parseGrant,
  peekToken,
  sealToken,
  tokenFromText,
  tokenToText,
  verifyToken,
  type Token,
} from '@armature/rights';
import {
  contextFromText,
  contextToText,
  deriveContextKey,
  openContext,
  sealContext,
  versionVector,
  type ActorId,
  type ContextContents,
} from '@armature/versioning';
import { holds, type Target } from '../target.js';
import { denseList } from './dense.js';
import { attemptOf, outcomeOf } from './outcomes.js';
import { ADDRESS, BUCKET, CLUSTER, NODES, NOW_MS, SECRET } from './values.js';

const SEALED = 0;
const CONTENTS = 1;
const TEXT = 2;
const GRANT = 3;

const as = (how: number, bytes: Uint8Array): Uint8Array => Buffer.concat([Uint8Array.of(how), bytes]);

// ---- contexts

const BINDING = { cluster: CLUSTER, address: ADDRESS };
const CONTEXT_KEY = deriveContextKey(SECRET, CLUSTER);
const clock = versionVector([
  { actor: '00ff00ff00ff00ff' as ActorId, counter: 3 },
  { actor: 'ffffffffffffffff' as ActorId, counter: 2 ** 40 },
]);
const CONTEXTS: readonly ContextContents[] = [
  { clock: versionVector([]), at: HLC_ZERO, fastest: undefined },
  { clock, at: hlcFromMs(NOW_MS), fastest: NODES[1] },
  { clock, own: { actor: '10000000deadbeef' as ActorId, counter: 9 }, at: hlcFromMs(NOW_MS), fastest: NODES[0] },
];
const SEALED_CONTEXTS = CONTEXTS.map((contents) => sealContext(contents, CONTEXT_KEY, BINDING));
const GENUINE_CONTEXTS = new Set(SEALED_CONTEXTS.map(toBase64Url));
const CONTEXT_HEADER_BYTES = 5;
const MAC_BYTES = 16;

export const contexts: Target = {
  name: 'contexts',
  what: 'contexts, sealed and opened, as clients send them back',
  covers: ['versioning/openContext', 'versioning/contextFromText', 'versioning/readHlc'],
  seeds: () =>
    SEALED_CONTEXTS.flatMap((bytes) => [
      as(SEALED, bytes),
      as(CONTENTS, bytes.subarray(CONTEXT_HEADER_BYTES, -MAC_BYTES)),
      as(TEXT, utf8Encode(contextToText(bytes))),
    ]),
  dense: (sizeBytes) => [
    as(CONTENTS, denseList(Math.min(sizeBytes, 32_000), new Uint8Array(0), Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1, 1))),
    as(SEALED, Buffer.alloc(sizeBytes - 1, 1)),
    as(TEXT, Buffer.alloc(sizeBytes - 1, 'A')),
  ],
  run(input) {
    const rest = input.subarray(1);
    switch (input[0]) {
      case SEALED:
        return openSealed(rest);
      case CONTENTS:
        return openContents(rest);
      default:
        return outcomeOf(attemptOf(contextFromText(utf8Decode(rest))), openSealed);
    }
  },
};

function openSealed(bytes: Uint8Array): string {
  return outcomeOf(attemptOf(openContext(bytes, CONTEXT_KEY, BINDING)), (contents) => {
    holds(GENUINE_CONTEXTS.has(toBase64Url(bytes)), 'a context that nobody has sealed is taken');
    holds(Buffer.compare(sealContext(contents, CONTEXT_KEY, BINDING), bytes) === 0, 'a context that is sealed to other bytes');
    return 'opened';
  });
}

function openContents(contents: Uint8Array): string {
  const head = new ByteWriter().text(BINDING.cluster).binary(BINDING.address);
  const start = head.length;
  const signed = head.u8(1).u32(contents.length).raw(contents).copyOut();
  const bytes = Buffer.concat([signed.subarray(start), CONTEXT_KEY.mac(signed)]);
  return outcomeOf(attemptOf(openContext(bytes, CONTEXT_KEY, BINDING)), (opened) => {
    holds(Buffer.compare(sealContext(opened, CONTEXT_KEY, BINDING), bytes) === 0, 'a context with two encodings');
    return 'opened as contents';
  });
}

// ---- tokens

const SECRETS: Secrets = [SECRET, utf8Encode('the former secret of the cluster')];
const TOKEN_KEYS = deriveTokenKeys(SECRETS, CLUSTER);
const TOKENS: readonly Token[] = [
  {
    subject: 'checkout',
    grants: [{ bucket: BUCKET, prefix: new Uint8Array(0), rights: ['read', 'write'] }],
    role: undefined,
    expiresAtMs: NOW_MS + 1,
    generation: 3,
  },
  { subject: 'größe', grants: [], role: 'operator', expiresAtMs: NOW_MS - 1, generation: 0 },
  {
    subject: 'reports',
    grants: [
      { bucket: EVERY_BUCKET, prefix: new Uint8Array(0), rights: ['read', 'list'] },
      { bucket: BUCKET, prefix: Uint8Array.of(0, 255, 37), rights: ['write'] },
    ],
    ...{ role: 'viewer', expiresAtMs: 2 ** 50, generation: 2 ** 30 },
  },
];
const SEALED_TOKENS = TOKENS.flatMap((token) => {
  const sealed = sealToken(token, TOKEN_KEYS);
  return sealed.ok ? [sealed.value] : [];
});
const GENUINE_TOKENS = new Set(SEALED_TOKENS.map(toBase64Url));
const PURPOSE = 'armature token 1';
const MAC_KEY = createHmac('sha256', SECRETS[0]).update(`${PURPOSE}\0${CLUSTER}`).digest();
const ACCESS = { tokens: 'required', revision: 1, generation: 1 } as const;

export const tokens: Target = {
  name: 'tokens',
  what: 'capability tokens, as bytes and as text, and the grants in them',
  covers: [
    'rights/openToken',
    'rights/verifyToken',
    'rights/readClaims',
    'rights/peekToken',
    'rights/tokenFromText',
    'rights/parseGrant',
    'process/loadToken',
  ],
  words: ['armt1.', '*', ':read', ':write', ',list', '/', '%2F'],
  seeds: () => [
    ...SEALED_TOKENS.flatMap((bytes) => [
      as(SEALED, bytes),
      as(CONTENTS, bytes.subarray(0, -MAC_BYTES)),
      as(TEXT, utf8Encode(tokenToText(bytes))),
    ]),
    ...['payments:read,write', 'sessions/cart-:read', '*:list', 'b/%00%ff%25:write'].map((text) => as(GRANT, utf8Encode(text))),
  ],
  dense: (sizeBytes) => [
    as(SEALED, Buffer.alloc(sizeBytes - 1, 1)),
    as(TEXT, utf8Encode(`armt1.${'A'.repeat(sizeBytes - 7)}`)),
    as(GRANT, utf8Encode(`b/${'%41'.repeat(Math.floor(sizeBytes / 3) - 4)}:read`)),
    as(GRANT, utf8Encode(`b:${'read,'.repeat(Math.floor(sizeBytes / 5) - 2)}`)),
    as(GRANT, utf8Encode(`${':'.repeat(sizeBytes - 4)}b`)),
  ],
  run(input) {
    const rest = input.subarray(1);
    switch (input[0]) {
      case SEALED:
        return openSealedToken(rest);
      case CONTENTS:
        return openTokenContents(rest);
      case TEXT:
        return outcomeOf(attemptOf(tokenFromText(utf8Decode(rest))), openSealedToken);
      default:
        return readGrant(utf8Decode(rest));
    }
  },
};

function openSealedToken(bytes: Uint8Array): string {
  attemptOf(peekToken(bytes));
  outcomeOf(attemptOf(openToken(bytes, TOKEN_KEYS, { nowMs: NOW_MS, generation: 1 })), () => 'counts');
  return outcomeOf(attemptOf(verifyToken(bytes, TOKEN_KEYS)), (token) => {
    holds(GENUINE_TOKENS.has(toBase64Url(bytes)), 'a token that nobody has sealed is taken');
    const refusal = authorize(ACCESS, NOW_MS, token, { bucket: BUCKET, right: 'write', key: Uint8Array.of(1) });
    return `verified, ${refusal?.code ?? 'allowed'}`;
  });
}

function openTokenContents(contents: Uint8Array): string {
  const mac = createHmac('sha256', MAC_KEY).update(contents).digest().subarray(0, MAC_BYTES);
  const bytes = Buffer.concat([contents, mac]);
  return outcomeOf(attemptOf(verifyToken(bytes, TOKEN_KEYS)), (token) => {
    holds(checkedToken(token).ok, 'a token outside of its bounds is taken');
    const again = sealToken(token, TOKEN_KEYS);
    holds(again.ok && Buffer.compare(again.value, bytes) === 0, 'a token with two encodings');
    return 'verified as contents';
  });
}

function readGrant(text: string): string {
  return outcomeOf(attemptOf(parseGrant(text)), (grant) => {
    const again = parseGrant(grantText(grant));
    holds(again.ok && grantText(again.value) === grantText(grant), 'a grant whose text says something else');
    return 'a grant';
  });
}
