/**
 * Which anti-entropy workers are there? Nobody has a list of them: a question to all, and whoever answers before long says where
 * it is. Nothing else follows from the answer: whether it is a worker, its door of administration proves.
 */
import { utf8Decode } from '@armature/kernel';
import { parseLinkAddress, type Bus, type LinkAddress } from '@armature/bus';
import type { Inbox } from '@armature/coordination';
import type { Subjects } from '@armature/protocol';
import { sleep, type Clock } from '@armature/runtime';

export interface RollCallEnv {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly subjects: Subjects;
  readonly inbox: Inbox;
}

/** Whoever has not answered by then is busier than a worker ever is. */
const PATIENCE_MS = 1_000;
const MAX_WORKERS = 1_000;

export async function callWorkers({ bus, clock, subjects, inbox }: RollCallEnv): Promise<ReadonlySet<LinkAddress>> {
  const found = new Set<LinkAddress>();
  const question = inbox.ask((message) => {
    const address = message.status === undefined ? parseLinkAddress(utf8Decode(message.payload)) : undefined;
    if (address?.ok === true && found.size < MAX_WORKERS) found.add(address.value);
  });
  bus.publish(subjects.workers, new Uint8Array(0), { reply: question.reply });
  await sleep(clock, PATIENCE_MS);
  question.close();
  return found;
}
