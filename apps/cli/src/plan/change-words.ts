/**
 * Changes of membership as words on the command line. A change is written like the command that makes it (`join n4`, `weight n2 2`), one after the
 * other, or as one word (`join:n4`, `weight:n2=2`), and the two may be mixed:
 *
 *   join <node>              join:<node>  join:<node>,zone=<zone>,weight=<weight>
 *   leave <node>             leave:<node>
 *   remove <node>            remove:<node>
 *   weight <node> <weight>   weight:<node>=<weight>
 *   zone <node> <zone>       zone:<node>=<zone>
 *
 * Names have no colons, commas or equals signs, so there is nothing to escape; and as a kind is looked for only where a change may begin, a node
 * may well be called `join`.
 */
import { unwrap } from '@armature/kernel';
import type { MembershipChange } from '@armature/membership';
import { parseChange } from '@armature/protocol';
import { decimal, invalid, pair } from '../parse.js';

type Kind = MembershipChange['kind'];

/** What follows the name of the node, if anything must. */
const VALUE_OF: Readonly<Record<Kind, string | undefined>> = {
  join: undefined,
  leave: undefined,
  remove: undefined,
  weight: 'weight',
  zone: 'zone',
};

/** The grammar as help texts show it. */
export const CHANGE_GRAMMAR = [
  '  join <node>             join:<node>[,zone=<zone>][,weight=<weight>]',
  '  leave <node>            leave:<node>',
  '  remove <node>           remove:<node>',
  '  weight <node> <weight>  weight:<node>=<weight>',
  '  zone <node> <zone>      zone:<node>=<zone>',
].join('\n');

export interface JoinDefaults {
  readonly zone?: string | undefined;
  readonly weight?: number | undefined;
}

/** Reads all words. `defaults` are for the one node that joins, if they name anything. Errors: `invalid-argument`, with the way out. */
export function parseChanges(words: readonly string[], defaults: JoinDefaults = {}): MembershipChange[] {
  const changes: MembershipChange[] = [];
  for (let at = 0; at < words.length;) {
    const word = words[at] ?? '';
    const colon = word.indexOf(':');
    const kind = kindOf(colon < 0 ? word : word.slice(0, colon));
    const needed = colon < 0 ? (VALUE_OF[kind] === undefined ? 1 : 2) : 0;
    const args = colon < 0 ? words.slice(at + 1, at + 1 + needed) : argumentsIn(kind, word.slice(colon + 1), word);
    changes.push(changeOf(kind, args, defaults));
    at += 1 + needed;
  }
  const joins = changes.filter((change) => change.kind === 'join').length;
  if ((defaults.zone !== undefined || defaults.weight !== undefined) && joins !== 1) {
    throw invalid(
      `--zone and --weight are for one node that joins, and here ${joins === 0 ? 'none does' : `${joins} do`}`,
      'Write them with each node: join:n4,zone=b,weight=2.',
    );
  }
  return changes;
}

/** The change as the shortest word that means it. */
export function changeWord(change: MembershipChange): string {
  const { kind, node } = change;
  switch (kind) {
    case 'join':
      return `join:${node}${change.zone === 'default' ? '' : `,zone=${change.zone}`}${change.weight === 1 ? '' : `,weight=${change.weight}`}`;
    case 'weight':
      return `weight:${node}=${change.weight}`;
    case 'zone':
      return `zone:${node}=${change.zone}`;
    case 'leave':
    case 'remove':
      return `${kind}:${node}`;
  }
}

function kindOf(word: string): Kind {
  if (Object.hasOwn(VALUE_OF, word)) return word as Kind;
  throw invalid(
    `${JSON.stringify(word.slice(0, 40))} is no change of membership`,
    `Write one of ${Object.keys(VALUE_OF).join(', ')}, and then the node: join n4, or join:n4.`,
  );
}

/** What stands behind the colon, as the words it stands for. */
function argumentsIn(kind: Kind, text: string, word: string): string[] {
  if (kind === 'join') return text.split(',');
  if (VALUE_OF[kind] === undefined) return [text];
  return [...pair(word, text)];
}

function changeOf(kind: Kind, [node = '', ...rest]: readonly string[], defaults: JoinDefaults): MembershipChange {
  if (node === '') throw invalid(`${kind} names no node`, `Write it like ${kind} n4${exampleOf(kind)}.`);
  const value = VALUE_OF[kind];
  if (value !== undefined && rest[0] === undefined)
    throw invalid(`${kind} ${node} lacks the ${value}`, `Write it like ${kind} ${node}${exampleOf(kind)}.`);
  const settings =
    kind === 'join'
      ? { ...joinSettings(node, rest, defaults) }
      : value === undefined
        ? {}
        : { [value]: settingOf(value, rest[0] ?? '') };
  return unwrap(parseChange({ kind, node, ...settings })) as MembershipChange;
}

function joinSettings(node: string, words: readonly string[], defaults: JoinDefaults): Record<string, unknown> {
  const settings: Record<string, unknown> = { zone: defaults.zone ?? 'default', weight: defaults.weight ?? 1 };
  for (const word of words) {
    const [name, value] = pair(`join:${node},`, word);
    if (name !== 'zone' && name !== 'weight')
      throw invalid(`a node that joins has no ${JSON.stringify(name.slice(0, 40))}`, 'It has a zone and a weight.');
    settings[name] = settingOf(name, value);
  }
  return settings;
}

function settingOf(name: string, text: string): unknown {
  return name === 'weight' ? decimal('weight')(text) : text;
}

function exampleOf(kind: Kind): string {
  return kind === 'weight' ? ' 2' : kind === 'zone' ? ' b' : '';
}
