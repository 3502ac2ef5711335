/** `armature bucket`: families of keys with properties of their own (paper, section 6: each service tunes N, R, W). */
import { ArmatureError, clipped, parseBucketName, quoted, unwrap } from '@armature/kernel';
import {
  BUCKET_PROPERTY_NAMES,
  DEFAULT_BUCKET_PROPERTIES,
  DURABILITIES,
  MAX_N,
  MAX_VALUE_BYTES,
  unknownBucket,
  type BucketProperties,
} from '@armature/protocol';
import type { Option } from 'commander';
import { define, option, type Outcome } from '../command.js';
import { sizeText, tableText } from '../format.js';
import { integerBetween, invalid } from '../parse.js';
import type { Session } from '../session.js';

type Given = Partial<BucketProperties>;

const HELP: { readonly [K in keyof BucketProperties]: readonly [flags: string, help: string, parse: (text: string) => unknown] } =
  {
    n: ['--n <count>', 'replicas of each key; fixed for ever', integerBetween('--n', 1, MAX_N)],
    r: ['--r <count>', 'replicas that must answer a read', integerBetween('--r', 1, MAX_N)],
    w: ['--w <count>', 'replicas that must acknowledge a write', integerBetween('--w', 1, MAX_N)],
    pr: ['--pr <count>', 'of those read from, how many must be primaries', integerBetween('--pr', 0, MAX_N)],
    pw: ['--pw <count>', 'of those that acknowledge, how many must be primaries', integerBetween('--pw', 0, MAX_N)],
    dw: ['--dw <count>', 'of those that acknowledge, how many must have it on stable storage', integerBetween('--dw', 0, MAX_N)],
    resolver: [
      '--resolver <name>',
      'what becomes of concurrent values: siblings (kept, the application merges) or last-write-wins',
      word('--resolver', ['siblings', 'last-write-wins']),
    ],
    durability: [
      '--durability <level>',
      'when a replica acknowledges: fsync (on stable storage), os (survives the process), memory (survives neither), ' +
        'buffered (as memory, and one replica makes a durable copy that nobody waits for)',
      word('--durability', DURABILITIES),
    ],
    maxValueBytes: ['--max-value-bytes <bytes>', 'largest value', integerBetween('--max-value-bytes', 1, MAX_VALUE_BYTES)],
    maxSiblings: ['--max-siblings <count>', 'most concurrent values of a key', integerBetween('--max-siblings', 1, 10_000)],
  };

export const bucketListCommand = define({
  examples: ['bucket list'],
  run: (session) => list(session),
});

export const bucketShowCommand = define({
  examples: ['bucket show default'],
  run: (session, [name = '']) => show(session, name),
});

export const bucketCreateCommand = define<Given>({
  details: 'Properties that are not given are the defaults: n=3, r=2, w=2, siblings, fsync.',
  options: optionsFor(BUCKET_PROPERTY_NAMES),
  examples: [
    'bucket create carts',
    'bucket create sessions --resolver last-write-wins --durability buffered',
    'bucket create catalogue --n 3 --r 1 --w 3',
  ],
  run: (session, [name = ''], given) => create(session, name, given),
});

export const bucketUpdateCommand = define<Given>({
  details: 'What is not given stays. The number of replicas (n) was fixed when the bucket was made.',
  options: optionsFor(BUCKET_PROPERTY_NAMES.filter((property) => property !== 'n')),
  examples: ['bucket update carts --r 1'],
  run: (session, [name = ''], given) => update(session, name, given),
});

function optionsFor(properties: readonly (keyof BucketProperties)[]): Option[] {
  return properties.map((property) => {
    const [flags, help, parse] = HELP[property];
    return option(flags, `${help} (default: ${DEFAULT_BUCKET_PROPERTIES[property]})`, parse);
  });
}

async function list(session: Session): Promise<Outcome> {
  const known = await (await session.client()).admin.buckets();
  if (session.voice.json) {
    await session.printJson(Object.fromEntries(known));
    return undefined;
  }
  const rows = [...known]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, p]) => [
      name,
      ...[p.n, p.r, p.w, p.pr, p.pw, p.dw].map(String),
      p.resolver,
      p.durability,
      sizeText(p.maxValueBytes),
      String(p.maxSiblings),
    ]);
  await session.print(
    tableText(session, ['bucket', 'n', 'r', 'w', 'pr', 'pw', 'dw', 'resolver', 'durability', 'largest value', 'siblings'], rows),
  );
  return undefined;
}

async function show(session: Session, name: string): Promise<Outcome> {
  const properties = await propertiesOf(session, name);
  if (properties === undefined) throw unknownBucket(name);
  await tell(session, name, properties);
  return undefined;
}

async function create(session: Session, name: string, given: Given): Promise<Outcome> {
  if ((await propertiesOf(session, name)) !== undefined) {
    throw invalid(`there is a bucket ${clipped(name)} already`, `Change it with: armature bucket update ${clipped(name)}`);
  }
  return set(session, name, given);
}

async function update(session: Session, name: string, given: Given): Promise<Outcome> {
  if ((await propertiesOf(session, name)) === undefined) throw unknownBucket(name);
  if (Object.keys(given).length === 0) throw invalid('nothing is to be changed', 'Give at least one property; see --help.');
  return set(session, name, given);
}

async function set(session: Session, name: string, given: Given): Promise<Outcome> {
  const { change } = await (await session.client()).admin.setBucket(name, given);
  if (change.kind !== 'bucket') throw new ArmatureError('internal', 'a proposal came back as another change');
  await tell(session, name, change.properties);
  return undefined;
}

async function propertiesOf(session: Session, name: string): Promise<BucketProperties | undefined> {
  const bucket = unwrap(parseBucketName(name));
  return (await (await session.client()).admin.buckets()).get(bucket);
}

async function tell(session: Session, name: string, properties: BucketProperties): Promise<void> {
  if (session.voice.json) return session.printJson({ bucket: name, ...properties });
  const rows = BUCKET_PROPERTY_NAMES.map((property) => [
    property,
    String(properties[property]),
    session.colors.dim(HELP[property][1]),
  ]);
  await session.print(`bucket ${name}\n${tableText(session, ['', '', ''], rows).trimStart()}`);
}

function word<W extends string>(name: string, words: readonly W[]): (text: string) => W {
  return (text) => {
    const found = words.find((one) => one === text);
    if (found !== undefined) return found;
    throw invalid(`${name} ${quoted(text)} is not valid`, `Use one of: ${words.join(', ')}.`);
  };
}
