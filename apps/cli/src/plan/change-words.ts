/**
 * Changes of membership as words on the command line. A change is written like the command that makes it (`join n4`, `weight n2
 * 2`), one after the other, or as one word (`join:n4`, `weight:n2=2`), and the two may be mixed:
 *
 *   join <node>                 join:<node>  join:<node>,zone=<zone>,weight=<weight>
 *   leave <node>                leave:<node>
 *   remove <node>               remove:<node>
 *   replace <node> <successor>  replace:<node>=<successor>  replace:<node>=<successor>,dead,zone=<zone>,weight=<weight>
 *   weight <node> <weight>      weight:<node>=<weight>
 *   zone <node> <zone>          zone:<node>=<zone>
 *
 * Names have no colons, commas or equals signs, so there is nothing to escape; and as a kind is looked for only where a change
 * may begin, a node may well be called `join`.
 *
 * A successor has the zone and the weight of the node it replaces unless it is given others. What those are only the cluster
 * knows, so words are read first and completed then (`completeChanges`).
 */
import { clipped, quoted, unwrap, type NodeId } from '@armature/kernel';
import type { MembershipChange } from '@armature/membership';
import { parseChange, type MemberSettings } from '@armature/protocol';
import { decimal, invalid, pair } from '../parse.js';

type Kind = MembershipChange['kind'];
type Replacement = Extract<MembershipChange, { kind: 'replace' }>;

/** A change as it was written: a successor may lack what it takes over from the node that it replaces. */
export type WrittenChange =
  | Exclude<MembershipChange, Replacement>
  | (Omit<Replacement, 'by'> & { readonly by: Pick<MemberSettings, 'node'> & Partial<MemberSettings> });

/** What follows the name of the node, if anything must. */
const VALUE_OF: Readonly<Record<Kind, string | undefined>> = {
  join: undefined,
  leave: undefined,
  remove: undefined,
  replace: 'successor',
  weight: 'weight',
  zone: 'zone',
};

/** The grammar as help texts show it. */
export const CHANGE_GRAMMAR = [
  '  join <node>                 join:<node>[,zone=<zone>][,weight=<weight>]',
  '  leave <node>                leave:<node>',
  '  remove <node>               remove:<node>',
  '  replace <node> <successor>  replace:<node>=<successor>[,dead][,zone=<zone>][,weight=<weight>]',
  '  weight <node> <weight>      weight:<node>=<weight>',
  '  zone <node> <zone>          zone:<node>=<zone>',
].join('\n');

/** Options for the one node that comes: that joins, or replaces another. */
export interface ArrivalOptions {
  readonly zone?: string | undefined;
  readonly weight?: number | undefined;
  /** The node that is replaced will not come back. */
  readonly dead?: boolean | undefined;
}

/** Reads all words. Errors: `invalid-argument`, with the way out. */
export function parseChanges(words: readonly string[], options: ArrivalOptions = {}): WrittenChange[] {
  const changes: WrittenChange[] = [];
  for (let at = 0; at < words.length;) {
    const word = words[at] ?? '';
    const colon = word.indexOf(':');
    const kind = kindOf(colon < 0 ? word : word.slice(0, colon));
    const needed = colon < 0 ? (VALUE_OF[kind] === undefined ? 1 : 2) : 0;
    const args = colon < 0 ? words.slice(at + 1, at + 1 + needed) : argumentsIn(kind, word.slice(colon + 1), word);
    changes.push(changeOf(kind, args, options));
    at += 1 + needed;
  }
  checkOptions(changes, options);
  return changes;
}

/**
 * The changes as they are meant where these are the members: each successor has the settings of the node that it replaces, as
 * they are by then.
 */
export function completeChanges(
  written: readonly WrittenChange[],
  members: ReadonlyMap<NodeId, Pick<MemberSettings, 'zone' | 'weight'>>,
): MembershipChange[] {
  const settings = new Map(members);
  return written.map((one) => {
    const old = settings.get(one.node);
    if (one.kind === 'replace') {
      const by = { zone: old?.zone, weight: old?.weight, ...one.by };
      const change = unwrap(parseChange({ ...one, by })) as Replacement;
      settings.set(change.by.node, change.by);
      return change;
    }
    if (one.kind === 'join') settings.set(one.node, one);
    else if (one.kind === 'weight' && old !== undefined) settings.set(one.node, { ...old, weight: one.weight });
    else if (one.kind === 'zone' && old !== undefined) settings.set(one.node, { ...old, zone: one.zone });
    return one;
  });
}

/** The change as the shortest word that means it in every cluster. */
export function changeWord(change: WrittenChange): string {
  const { kind, node } = change;
  switch (kind) {
    case 'join':
      return `join:${node}${change.zone === 'default' ? '' : `,zone=${change.zone}`}${change.weight === 1 ? '' : `,weight=${change.weight}`}`;
    case 'replace': {
      const { zone, weight } = change.by;
      return `replace:${node}=${change.by.node}${change.dead ? ',dead' : ''}${zone === undefined ? '' : `,zone=${zone}`}${weight === undefined ? '' : `,weight=${weight}`}`;
    }
    case 'weight':
      return `weight:${node}=${change.weight}`;
    case 'zone':
      return `zone:${node}=${change.zone}`;
    case 'leave':
    case 'remove':
      return `${kind}:${node}`;
  }
}

function checkOptions(changes: readonly WrittenChange[], { zone, weight, dead }: ArrivalOptions): void {
  const replacements = changes.filter(({ kind }) => kind === 'replace').length;
  const arrivals = changes.filter(({ kind }) => kind === 'join').length + replacements;
  if ((zone !== undefined || weight !== undefined) && arrivals !== 1) {
    throw invalid(
      `--zone and --weight are for one node that joins or replaces another, and here ${arrivals === 0 ? 'none does' : `${arrivals} do`}`,
      'Write them with each node: join:n4,zone=b,weight=2.',
    );
  }
  if (dead !== undefined && replacements !== 1) {
    throw invalid(
      `--dead is for one node that is replaced, and here ${replacements === 0 ? 'none is' : `${replacements} are`}`,
      'Write it with each: replace:n2=n5,dead.',
    );
  }
}

function kindOf(word: string): Kind {
  if (Object.hasOwn(VALUE_OF, word)) return word as Kind;
  throw invalid(
    `${quoted(word)} is no change of membership`,
    `Write one of ${Object.keys(VALUE_OF).join(', ')}, and then the node: join n4, or join:n4.`,
  );
}

/** What stands behind the colon, as the words it stands for. */
function argumentsIn(kind: Kind, text: string, word: string): string[] {
  if (kind === 'join') return text.split(',');
  if (kind === 'replace') {
    const [names = '', ...settings] = text.split(',');
    return [...pair(clipped(word), names), ...settings];
  }
  if (VALUE_OF[kind] === undefined) return [text];
  return [...pair(clipped(word), text)];
}

function changeOf(kind: Kind, [node = '', ...rest]: readonly string[], options: ArrivalOptions): WrittenChange {
  if (node === '') throw invalid(`${kind} names no node`, `Write it like ${kind} n4${exampleOf(kind)}.`);
  const value = VALUE_OF[kind];
  if (value !== undefined && (rest[0] ?? '') === '')
    throw invalid(`${kind} ${clipped(node)} lacks the ${value}`, `Write it like ${kind} n4${exampleOf(kind)}.`);
  if (kind === 'replace') return replacementOf(node, rest, options);
  const settings =
    kind === 'join'
      ? { zone: options.zone ?? 'default', weight: options.weight ?? 1, ...arrivalSettings(`join:${node}`, rest) }
      : value === undefined
        ? {}
        : { [value]: settingOf(value, rest[0] ?? '') };
  return unwrap(parseChange({ kind, node, ...settings })) as WrittenChange;
}

function replacementOf(node: string, [successor = '', ...words]: readonly string[], options: ArrivalOptions): WrittenChange {
  const dead = options.dead === true || words.includes('dead');
  const own = arrivalSettings(
    `replace:${node}=${successor}`,
    words.filter((word) => word !== 'dead'),
  );
  const { zone = options.zone, weight = options.weight } = own;
  const parsed = unwrap(parseChange({ kind: 'replace', node, by: { node: successor, zone, weight }, dead })) as Replacement;
  const by = {
    node: parsed.by.node,
    ...(zone === undefined ? {} : { zone: parsed.by.zone }),
    ...(weight === undefined ? {} : { weight: parsed.by.weight }),
  };
  return { ...parsed, by };
}

function arrivalSettings(prefix: string, words: readonly string[]): { readonly zone?: unknown; readonly weight?: unknown } {
  const settings: Record<string, unknown> = {};
  for (const word of words) {
    const [name, value] = pair(`${clipped(prefix)},`, word);
    if (name !== 'zone' && name !== 'weight')
      throw invalid(`a node that comes has no ${quoted(name)}`, 'It has a zone and a weight.');
    settings[name] = settingOf(name, value);
  }
  return settings;
}

function settingOf(name: string, text: string): unknown {
  return name === 'weight' ? decimal('weight')(text) : text;
}

function exampleOf(kind: Kind): string {
  return { join: '', leave: '', remove: '', replace: ' n5', weight: ' 2', zone: ' b' }[kind];
}
