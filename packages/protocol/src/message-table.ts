/**
 * All kinds of messages, a row each. Who adds one adds its types, its row in the file of its family, and a handler where it is
 * answered; everything else (links, doors, the codec) goes by the row.
 */
import { assert } from '@armature/kernel';
import { CONTROL_MESSAGES } from './control-codec.js';
import { COORDINATED_MESSAGES } from './coordinated-codec.js';
import type { Kind, MessageRow, MessageRows } from './message-row.js';
import { REAPING_MESSAGES } from './reaping-codec.js';
import { REPLICA_MESSAGES } from './replica-codec.js';
import { SYNCHRONISATION_MESSAGES } from './synchronisation-codec.js';

export const MESSAGES: MessageRows<Kind> = {
  ...REPLICA_MESSAGES,
  ...COORDINATED_MESSAGES,
  ...CONTROL_MESSAGES,
  ...SYNCHRONISATION_MESSAGES,
  ...REAPING_MESSAGES,
};

/** The kind of each tag, at its place. */
const KINDS: (Kind | undefined)[] = [];
for (const [kind, { tag }] of Object.entries(MESSAGES)) {
  assert(KINDS[tag] === undefined, `tag ${tag} names one kind`);
  KINDS[tag] = kind as Kind;
}

export function kindOfTag(tag: number): Kind | undefined {
  return KINDS[tag];
}

/** A row whose kind is known only when it runs: its codecs take and give messages of that kind, whichever it is. */
export function rowOf<K extends Kind>(kind: K): MessageRow<K> {
  return MESSAGES[kind];
}

/** Whether values, or sets of them, are answered to this. */
export function mayHaveLargeAnswer({ kind }: { readonly kind: Kind }): boolean {
  return MESSAGES[kind].mayHaveLargeAnswer;
}
