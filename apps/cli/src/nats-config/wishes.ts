/**
 * Which users of NATS a cluster is to have, as options of `armature nats-config` or a JSON file say it. Both have the same names
 * and the same words, and add up.
 *
 *   --application shop:payments:read,write          { "application": ["shop:payments:read,write"] }
 *
 * Every error names the option or the field, and the word in it that is wrong.
 */
import { NAME_RULE, parseBucketName, parseNodeId, quoted } from '@armature/kernel';
import { FRONT_RIGHTS } from '@armature/protocol';
import { invalid } from '../parse.js';

export const PLAIN_VERBS = ['get', 'put', 'delete'] as const;

/** What a user may do with a bucket: rights at the front door, or verbs of the plain API. */
export interface BucketGrant {
  readonly user: string;
  /** `*` for every bucket. */
  readonly bucket: string;
  readonly words: readonly string[];
}

/** How a user proves who he is, where it is not a password from a variable. */
export type GivenLogin = { readonly bcrypt: string } | { readonly nkey: string };

export interface Wishes {
  /** Names of processes that get a user each; where there are none, all processes of the role have one. */
  readonly nodes: readonly string[];
  readonly routers: readonly string[];
  readonly workers: readonly string[];
  readonly administrator: readonly string[];
  readonly directClient: readonly string[];
  readonly application: readonly BucketGrant[];
  readonly plain: readonly BucketGrant[];
  readonly monitor: readonly string[];
  /** Applications may ask nodes as well as routers. */
  readonly atNodes: boolean;
  /** By user. */
  readonly logins: ReadonlyMap<string, GivenLogin>;
}

/** The same, as options or JSON have it. */
export type WrittenWishes = Readonly<Partial<Record<ListName, readonly string[]>>> & {
  readonly atNodes?: boolean;
  readonly logins?: Readonly<Record<string, GivenLogin>>;
};

const LISTS = ['nodes', 'routers', 'workers', 'administrator', 'directClient', 'application', 'plain', 'monitor'] as const;
type ListName = (typeof LISTS)[number];

/** `call` makes of a list's name what its writer calls it: `--nodes`, or `"nodes"` of a file. Throws `invalid-argument`. */
export function readWishes(written: WrittenWishes, call: (name: string) => string): Wishes {
  const names = (list: ListName): readonly string[] => (written[list] ?? []).map((word) => checkedName(word, call(list)));
  const grants = (list: ListName, words: readonly string[], example: string): readonly BucketGrant[] =>
    (written[list] ?? []).map((text) => grantFrom(text, call(list), words, example));
  return {
    nodes: names('nodes'),
    routers: names('routers'),
    workers: names('workers'),
    administrator: names('administrator'),
    directClient: names('directClient'),
    application: grants('application', FRONT_RIGHTS, 'shop:payments:read,write'),
    plain: grants('plain', PLAIN_VERBS, 'kiosk:orders:get,put'),
    monitor: names('monitor'),
    atNodes: written.atNodes ?? false,
    logins: new Map(Object.entries(written.logins ?? {})),
  };
}

/** Both together. */
export function joined(a: Wishes, b: Wishes): Wishes {
  const both = <T>(of: (wishes: Wishes) => readonly T[]): readonly T[] => [...of(a), ...of(b)];
  return {
    nodes: both(({ nodes }) => nodes),
    routers: both(({ routers }) => routers),
    workers: both(({ workers }) => workers),
    administrator: both(({ administrator }) => administrator),
    directClient: both(({ directClient }) => directClient),
    application: both(({ application }) => application),
    plain: both(({ plain }) => plain),
    monitor: both(({ monitor }) => monitor),
    atNodes: a.atNodes || b.atNodes,
    logins: new Map([...a.logins, ...b.logins]),
  };
}

/** From the text of a file. Throws `invalid-argument`, naming the file and the field. */
export function parseWishes(text: string, file: string): Wishes {
  const fault = (what: string): Error => invalid(`${file}: ${what}`, 'armature nats-config --help shows what may stand there.');
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (thrown) {
    throw fault(`it is not JSON: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
  if (!isObject(document)) throw fault('it holds no JSON object');
  for (const [name, value] of Object.entries(document)) {
    if (name === 'atNodes') {
      if (typeof value !== 'boolean') throw fault('"atNodes" is neither true nor false');
    } else if (name === 'logins') {
      checkLogins(value, fault);
    } else if (!LISTS.some((list) => list === name)) {
      throw fault(`there is no field ${quoted(name)}; there are ${[...LISTS, 'atNodes', 'logins'].join(', ')}`);
    } else if (!Array.isArray(value) || !value.every((word) => typeof word === 'string')) {
      throw fault(`"${name}" is no list of texts`);
    }
  }
  return readWishes(document, (name) => `${file}: "${name}"`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** As nats-server takes them: a bcrypt hash, and the public key of a user. */
const LOGINS: ReadonlyMap<string, RegExp> = new Map([
  ['bcrypt', /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/],
  ['nkey', /^U[A-Z2-7]{55}$/],
]);

function checkLogins(value: unknown, fault: (what: string) => Error): void {
  if (!isObject(value)) throw fault('"logins" is no object');
  for (const [user, login] of Object.entries(value)) {
    const [kind, text, ...more] = isObject(login) ? Object.entries(login).flat() : [];
    const isRight = typeof kind === 'string' && typeof text === 'string' && more.length === 0 && LOGINS.get(kind)?.test(text);
    if (isRight !== true) throw fault(`the login of ${quoted(user)} is neither {"bcrypt": "$2a$..."} nor {"nkey": "U..."}`);
  }
}

function checkedName(text: string, where: string): string {
  if (!parseNodeId(text).ok) throw invalid(`${where}: ${quoted(text)} is not a name`, `Use ${NAME_RULE}.`);
  return text;
}

function grantFrom(text: string, where: string, known: readonly string[], example: string): BucketGrant {
  const [user = '', bucket = '', wordsText = '', ...more] = text.split(':');
  const shape = `Write <user>:<bucket>:<${known.join(',')}>, for example ${example}; * is every bucket.`;
  const refuse = (what: string, remedy = shape): Error => invalid(`${where} ${quoted(text)}: ${what}`, remedy);
  if (more.length > 0 || wordsText === '') throw refuse('it does not have three parts');
  if (!parseNodeId(user).ok) throw refuse(`${quoted(user)} is not the name of a user`, `Use ${NAME_RULE}.`);
  if (bucket !== '*' && !parseBucketName(bucket).ok) throw refuse(`${quoted(bucket)} is not a bucket`, `Use ${NAME_RULE}, or *.`);
  const words = wordsText.split(',');
  const strange = words.find((word) => !known.includes(word));
  if (strange !== undefined) throw refuse(`there is no ${quoted(strange)}`, `Use ${known.join(', ')}.`);
  return { user, bucket, words: known.filter((word) => words.includes(word)) };
}
