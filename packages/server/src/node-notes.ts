/** Why a node is not ready, in words for an operator. */
import type { Bus } from '@armature/bus';
import type { NodeId } from '@armature/kernel';
import type { View } from '@armature/membership';
import type { StoreHealth } from '@armature/storage';
import { busNotes } from './bus-notes.js';

export interface NodeFacts {
  readonly node: NodeId;
  readonly view: View;
  /** Whether the store has been used by a member of the cluster. */
  readonly wasMember: boolean;
  /** What keeps the store from answering; see `StoreIdentity.note`. */
  readonly storeNote: string | undefined;
  /** What keeps the store from minting; see `ActorEpoch.note`. */
  readonly epochNote: string | undefined;
  readonly health: StoreHealth;
  /** What is wrong with the wall clock; see `ClockWatch.note`. */
  readonly clockNote: string | undefined;
  readonly bus: Pick<Bus, 'connected' | 'denials'>;
}

export function nodeNotes({ node, view, wasMember, storeNote, epochNote, health, clockNote, bus }: NodeFacts): readonly string[] {
  const notes: string[] = [];
  if (view.cluster === undefined) notes.push('the cluster has not been created yet');
  else if (!view.members.has(node)) notes.push(wasMember ? REMOVED : 'this node is not a member: armature cluster join');
  if (storeNote !== undefined) notes.push(storeNote);
  if (health.status === 'failing') {
    const { code, message, remedy } = health.error;
    notes.push(`storage is failing: ${code}: ${message}${remedy === undefined ? '' : `. ${remedy}`}`);
  }
  if (epochNote !== undefined) notes.push(epochNote);
  if (clockNote !== undefined) notes.push(clockNote);
  notes.push(...busNotes(bus));
  return notes;
}

const REMOVED =
  'this node was removed from the cluster; it takes part in nothing, and what it holds is discarded if it joins again: armature cluster join, or stop it';
