/**
 * `armature token`: capability tokens, for applications and for those who administer. They are sealed here, with the secret of
 * the cluster; no process of the cluster takes part, and none has a list of them. What a token says can be looked at by its
 * holder.
 *
 * A token is never an argument: command lines are visible to every user of the machine. It is printed on standard output, or
 * written to a file that only its owner may read.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { ArmatureError, quoted, toArmatureError, unwrap, type Secrets } from '@armature/kernel';
import { EXIT, loadSecrets, requireSecrets } from '@armature/process';
import {
  ROLES,
  checkedToken,
  deriveTokenKeys,
  grantText,
  openToken,
  parseGrant,
  peekToken,
  sealToken,
  staleness,
  tokenFromText,
  tokenToText,
  type Role,
  type Token,
} from '@armature/rights';
import { define, option, repeated, type Outcome } from '../command.js';
import { integerBetween, invalid } from '../parse.js';
import type { Session } from '../session.js';

interface CreateOptions {
  readonly subject: string;
  readonly grant?: readonly string[];
  readonly role?: Role;
  readonly expires: number;
  readonly generation?: number;
  readonly out?: string;
}

const DAY_MS = 24 * 3_600_000;
const MAX_DAYS = 3_650;

/** All that can be told without asking the cluster. */
const UNREVOKED = 'it is whole, and valid unless its generation has been revoked';

const KINDS =
  'With --grant it is for an application, and says what may be done with keys; with --role it is for administration. A token is never for both:\n' +
  'one for an application is shown to the cluster, and one for administration stays where it is.\n' +
  'A viewer looks: status, history, plans. An operator also repairs, reaps, and pauses and resumes the workers. An administrator may do everything.\n' +
  'A grant is <bucket>:<rights>, <bucket>/<prefix of keys>:<rights> or *:<rights>; rights are read, write and list,\n' +
  'separated by commas. A grant of a prefix cannot list. At most 16.';

export const tokenCreateCommand = define<CreateOptions>({
  details: `${KINDS}\nThe generation is that of the cluster, which is asked for it unless --generation says it.`,
  options: [
    option('--subject <name>', 'who holds it, in words: 1 to 128 printable characters').makeOptionMandatory(),
    repeated('--grant <grant>', 'what it allows; may be given several times'),
    option('--role <role>', 'viewer, operator or administrator', role),
    option('--expires <time>', 'for how long it is valid: 12h, 30d', lifetime).default(30 * DAY_MS, '30d'),
    option('--generation <number>', 'without asking the cluster', integerBetween('--generation', 0, 2 ** 31)),
    option('--out <file>', 'write it there, readable by its owner only, instead of printing it'),
  ],
  examples: [
    'token create --subject checkout --grant payments:read,write --grant sessions/cart-:read --secret-file cluster.key',
    'token create --subject reports --grant *:read,list --expires 8h --out reports.token --secret-file cluster.key',
    'token create --subject olga --role operator --expires 12h --out olga.token --secret-file cluster.key',
  ],
  run: (session, _args, options) => create(session, options),
});

export const tokenInspectCommand = define({
  details:
    'The file holds the token; - is standard input. With the secret of the cluster it is verified, too. The exit code is 7 where\n' +
    'it is forged or has expired. Whether it was revoked, only the cluster knows: compare its generation with armature cluster access.',
  examples: ['token inspect reports.token', 'token inspect reports.token --secret-file cluster.key --json'],
  run: (session, [file = '']) => inspect(session, file),
});

export const tokenRevokeCommand = define<{ all?: boolean }>({
  details:
    'Raises the generation of the cluster: every router refuses tokens of an earlier one as soon as it has heard of it, within\n' +
    'seconds. There is no list of tokens, so no single one can be revoked; make those anew that are still wanted.',
  options: [option('--all', 'needed: so that nobody does it by mistake')],
  examples: ['token revoke --all'],
  run: (session, _args, options) => revoke(session, options.all === true),
});

async function create(session: Session, options: CreateOptions): Promise<Outcome> {
  const keys = deriveTokenKeys(requireSecrets(session.settings), session.settings.cluster);
  const wanted = {
    subject: options.subject,
    grants: (options.grant ?? []).map((grant) => unwrap(parseGrant(grant))),
    role: options.role,
    expiresAtMs: session.io.clock.nowMs() + options.expires,
  };
  unwrap(checkedToken({ ...wanted, generation: 0 })); // what is wrong with it shows before anybody is asked
  const generation = options.generation ?? (await (await session.client()).admin.access()).generation;
  const token: Token = { ...wanted, generation };
  const spelled = tokenToText(unwrap(sealToken(token, keys)));
  if (options.out !== undefined) writePrivately(options.out, spelled);
  if (session.voice.json) {
    await session.printJson({
      ...documentOf(token),
      ...(options.out === undefined ? { token: spelled } : { file: options.out }),
    });
    return undefined;
  }
  if (options.out === undefined) await session.print(spelled);
  await session.note(`${wordsOf(token)}${options.out === undefined ? '' : `; in ${options.out}`}`);
  return undefined;
}

async function inspect(session: Session, file: string): Promise<Outcome> {
  const { cluster } = session.settings;
  const bytes = unwrap(tokenFromText(await readToken(session, file)));
  const { cluster: theirs, ...token } = unwrap(peekToken(bytes));
  const secrets = loadSecrets(session.settings);
  const fault = faultOf(session, bytes, secrets);
  const state = fault?.message ?? (secrets === undefined ? 'not verified: the secret of the cluster is not given' : UNREVOKED);
  if (session.voice.json) {
    const verified = secrets !== undefined;
    await session.printJson({
      cluster: theirs,
      ...documentOf(token),
      verified,
      ...(fault === undefined ? {} : { fault: fault.details['fault'] }),
    });
  } else {
    const rows = [
      ['cluster', theirs],
      ['subject', token.subject],
      ['grants', token.grants.map(grantText).join(' ') || '-'],
      ['role', token.role ?? '-'],
      ['valid until', new Date(token.expiresAtMs).toISOString()],
      ['generation', String(token.generation)],
      ['state', state],
    ] as const;
    await session.print(rows.map(([name, value]) => `${name.padEnd(12)} ${value}`).join('\n'));
  }
  if (theirs !== cluster) await session.note(`It is for cluster ${theirs}, and --cluster is ${cluster}.`);
  return fault === undefined ? undefined : EXIT.notAllowed;
}

async function revoke(session: Session, isMeant: boolean): Promise<Outcome> {
  if (!isMeant) {
    throw invalid(
      'this makes every token void that there is, not a single one',
      'Add --all if that is meant. Then make those anew that are still wanted: armature token create.',
    );
  }
  const { change } = await (await session.client()).admin.revokeTokens();
  if (change.kind !== 'access') throw new ArmatureError('internal', 'a proposal came back as another change');
  if (session.voice.json) await session.printJson({ generation: change.generation });
  else await session.print(`generation ${change.generation}: tokens of earlier ones are void`);
  return undefined;
}

/** As far as it can be told here: without the secret, only what the clock says. */
function faultOf(session: Session, bytes: Uint8Array, secrets: Secrets | undefined): ArmatureError | undefined {
  const at = { nowMs: session.io.clock.nowMs(), generation: 0 };
  if (secrets !== undefined) {
    const opened = openToken(bytes, deriveTokenKeys(secrets, session.settings.cluster), at);
    return opened.ok ? undefined : opened.error;
  }
  const seen = peekToken(bytes);
  return seen.ok ? staleness(seen.value, at) : seen.error;
}

/** Without white space around it. */
async function readToken(session: Session, file: string): Promise<string> {
  if (file.includes('armt1.')) {
    throw invalid(
      'the token itself was given, and now stands in the list of processes',
      'Give the name of the file that holds it, or - for standard input; and make a new token.',
    );
  }
  if (file === '-') return (await text(session.io.stdin)).trim();
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (thrown) {
    throw invalid(
      `the file ${quoted(file)} cannot be read: ${toArmatureError(thrown).message}`,
      'Give the file that holds the token, or -.',
    );
  }
}

/** A file that is there already is not overwritten: its mode may be another, and somebody may have it open. */
function writePrivately(file: string, token: string): void {
  try {
    writeFileSync(file, `${token}\n`, { mode: 0o600, flag: 'wx' });
  } catch (thrown) {
    throw invalid(`the token cannot be written: ${toArmatureError(thrown).message}`, 'Give --out a file that is not there yet.');
  }
}

function documentOf(token: Token): Readonly<Record<string, unknown>> {
  const { subject, grants, role, expiresAtMs, generation } = token;
  return { subject, grants: grants.map(grantText), role, expiresAt: new Date(expiresAtMs).toISOString(), generation };
}

function wordsOf({ subject, role, expiresAtMs, generation }: Token): string {
  return `a token for ${subject}${role === undefined ? '' : `, ${role}`}, generation ${generation}, valid until ${new Date(expiresAtMs).toISOString()}`;
}

function role(word: string): Role {
  const found = ROLES.find((one) => one === word);
  if (found !== undefined) return found;
  throw invalid(`--role ${quoted(word)} is not valid`, `Use one of: ${ROLES.join(', ')}.`);
}

const UNIT_MS = { m: 60_000, h: 3_600_000, d: DAY_MS } as const;

function lifetime(word: string): number {
  const [, amount = '', unit = ''] = /^(\d{1,6})([mhd])$/.exec(word) ?? [];
  const lifetimeMs = Number(amount) * (UNIT_MS[unit as keyof typeof UNIT_MS] ?? 0);
  if (lifetimeMs > 0 && lifetimeMs <= MAX_DAYS * DAY_MS) return lifetimeMs;
  throw invalid(`--expires ${quoted(word)} is not valid`, `Write it like 90m, 12h or 30d, up to ${MAX_DAYS}d.`);
}
