/** Why a process is not ready as far as the message bus goes, in words for an operator. */
import type { Bus } from '@armature/bus';

/**
 * A process that hears only part of what it should is as unfit as one that hears nothing. Subjects that it may not publish to are
 * left out: whoever asks it a question says where the answer is to go, and could make it unfit.
 */
export function busNotes({ connected, denials }: Pick<Bus, 'connected' | 'denials'>): readonly string[] {
  if (!connected) return ['the message bus is disconnected'];
  const lacking = denials.filter(({ operation }) => operation === 'subscribe').map(({ subject }) => subject);
  if (lacking.length === 0) return [];
  return [`NATS does not permit this process to subscribe to ${lacking.join(', ')}; it asks again until it is permitted`];
}
