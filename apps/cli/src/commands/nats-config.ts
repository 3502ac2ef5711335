/**
 * `armature nats-config`: what nats-server is to be told of a cluster's users, so that each can do what it is there for, and
 * nothing else. It asks nobody: the list of subjects is part of this program.
 *
 * No secret is printed. Passwords are variables of nats-server's environment, or hashes that are given; with `--keys`, seeds are
 * made, and go into files of their owner.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toArmatureError } from '@armature/kernel';
import { newUserSeed, publicKeyOfSeed } from '@armature/bus-nats';
import { define, option, repeated, type Outcome } from '../command.js';
import { plural } from '../format.js';
import { HEADER, renderUsers } from '../nats-config/render.js';
import { natsUsers, type NatsUser } from '../nats-config/users.js';
import { joined, parseWishes, readWishes, type WrittenWishes } from '../nats-config/wishes.js';
import { invalid, words } from '../parse.js';
import type { Session } from '../session.js';

interface Options extends WrittenWishes {
  readonly from?: string;
  readonly keys?: string;
  readonly usersOnly?: boolean;
  readonly output?: string;
}

export const natsConfigCommand = define<Options>({
  details:
    'There is always a user for nodes, one for routers and one for workers. All others are there for whom you name. Options\n' +
    'with <user> may be given several times; whoever has several roles is named in several options. Passwords are variables that nats-server reads from its environment,\n' +
    'NATS_PASSWORD_<USER>, unless --keys or --from say otherwise. No secret is printed.\n\n' +
    'A file for --from is JSON with the same names: {"application": ["shop:payments:read,write"], "atNodes": true,\n' +
    '"nodes": ["n1", "n2"], "logins": {"shop": {"bcrypt": "$2a$..."}, "node-n1": {"nkey": "U..."}}}.',
  options: [
    repeated('--application <user:bucket:rights>', 'front door: read, write and list, separated by commas; * is every bucket'),
    option('--at-nodes', 'applications may ask nodes as well as routers'),
    repeated('--plain <user:bucket:verbs>', 'plain API: get, put and delete, separated by commas; * is every bucket'),
    repeated('--administrator <user>', 'commands of administration'),
    repeated('--direct-client <user>', 'a direct client, which holds the secret of the cluster'),
    repeated('--monitor <user>', 'NATS service discovery and status'),
    option('--nodes <names>', 'a user for each of these nodes, instead of one for all', words('--nodes')),
    option('--routers <names>', 'the same for routers', words('--routers')),
    option('--workers <names>', 'the same for anti-entropy workers', words('--workers')),
    option('--from <file>', 'a JSON file that says all this, and logins'),
    option(
      '--keys <directory>',
      'nkeys instead of passwords: a seed for each user is read from <directory>/<user>.nk, or made there',
    ),
    option('--users-only', 'only the list of users, to be included into an account that is there'),
    option('--output <file>', 'write it there; a file that this command has made is replaced'),
  ],
  examples: [
    'nats-config --cluster prod --administrator admin --application shop:payments:read,write --keys nkeys --output armature.conf',
    'nats-config --cluster prod --plain kiosk:orders:get,put --monitor prometheus --users-only',
    "nats-config --cluster prod --administrator ops --direct-client ops --application 'ops:*:read,write,list' --json",
  ],
  run: (session, _args, options) => natsConfig(session, options),
});

async function natsConfig(session: Session, options: Options): Promise<Outcome> {
  const { cluster, prefix } = session.settings;
  const given = readWishes(options, optionOf);
  const wishes = options.from === undefined ? given : joined(parseWishes(readText(options.from), options.from), given);
  const withPasswords = natsUsers({ prefix, cluster }, wishes);
  const { keys, output } = options;
  const users = keys === undefined ? withPasswords : withPasswords.map((user) => withKey(user, keys));
  const text = renderUsers({ cluster, users, usersOnly: options.usersOnly ?? false });
  if (output !== undefined) writeConfig(output, text, users);
  if (session.voice.json) {
    const document = users.map(({ name, about, login, permissions }) => ({ user: name, about, ...login, permissions }));
    await session.printJson({ cluster, prefix, ...(output === undefined ? {} : { file: output }), users: document });
  } else if (output === undefined) {
    await session.print(text);
  } else {
    const check = options.usersOnly === true ? '' : ` Check it: nats-server -t -c ${output}`;
    await session.note(`${plural(users.length, 'user')} in ${output}.${check}`);
  }
  if (keys !== undefined) await session.note(`The seeds are in ${keys}: give each process its own, with --nkey.`);
  return undefined;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    throw invalid(`--from: ${toArmatureError(thrown).message}`, 'Give a JSON file that is there.');
  }
}

/** The user with the public key of his seed, which is made where there is none. */
function withKey(user: NatsUser, directory: string): NatsUser {
  if (!('variable' in user.login)) return user;
  const file = join(directory, `${user.name}.nk`);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(file, `${newUserSeed()}\n`, { mode: 0o600, flag: 'wx' });
  } catch (thrown) {
    const isThere = thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST';
    if (!isThere) throw invalid(`--keys: ${toArmatureError(thrown).message}`, 'Give a directory that can be written to.');
  }
  return { ...user, login: { nkey: publicKeyOfSeed(readFileSync(file, 'utf8'), file) } };
}

/** Whole or not at all, since nats-server may read it at any time. Where it holds hashes, it is for the eyes of its owner. */
function writeConfig(file: string, text: string, users: readonly NatsUser[]): void {
  const holdsHashes = users.some(({ login }) => 'bcrypt' in login);
  const partial = `${file}.partial`;
  try {
    if (!isOurs(file)) throw invalid(`${file} is there, and this command has not made it`, 'Give --output another file.');
    rmSync(partial, { force: true });
    writeFileSync(partial, text, { mode: holdsHashes ? 0o600 : 0o666, flag: 'wx' });
    renameSync(partial, file);
  } catch (thrown) {
    throw toOutputError(thrown);
  }
}

function isOurs(file: string): boolean {
  try {
    return readFileSync(file, 'utf8').startsWith(HEADER);
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return true;
    throw thrown;
  }
}

function toOutputError(thrown: unknown): Error {
  const error = toArmatureError(thrown);
  return error.code === 'invalid-argument' ? error : invalid(`--output: ${error.message}`, 'Give a file that can be written.');
}

/** `directClient` is `--direct-client`. */
function optionOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
