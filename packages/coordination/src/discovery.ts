/**
 * Discovery: the link address of some process of a kind, whichever the bus picks. All of a kind listen in one queue group, so
 * the bus deals questions out among them.
 */
import { ArmatureError } from '@armature/kernel';
import { parseLinkAddress, type Bus, type LinkAddress } from '@armature/bus';
import type { DiscoverableRole, Subjects } from '@armature/protocol';
import { repeat, type Clock } from '@armature/runtime';
import type { Inbox } from './inbox.js';

export interface DiscoveryEnv {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly subjects: Subjects;
  readonly inbox: Inbox;
}

const DISCOVER_TIMEOUT_MS = 500;
/** One that stands still gets its share of the questions: so the question is put again, to whomever. */
const DISCOVER_AGAIN_MS = 50;

/** The link address of some process of the first of these kinds that answers; undefined when none does. */
export async function discover(env: DiscoveryEnv, ...roles: readonly DiscoverableRole[]): Promise<LinkAddress | undefined> {
  for (const role of roles) {
    const address = await discoverOne(env, role);
    if (address !== undefined) return address;
  }
  return undefined;
}

function discoverOne({ bus, clock, subjects, inbox }: DiscoveryEnv, role: DiscoverableRole): Promise<LinkAddress | undefined> {
  return new Promise((resolve) => {
    const finish = (address: LinkAddress | undefined): void => {
      timer.cancel();
      again.cancel();
      question.close();
      resolve(address);
    };
    const timer = clock.after(DISCOVER_TIMEOUT_MS, () => finish(undefined));
    const question = inbox.ask((message) => {
      const address = message.status === undefined ? parseLinkAddress(Buffer.from(message.payload).toString('utf8')) : undefined;
      finish(address?.ok === true ? address.value : undefined);
    });
    const ask = (): void => bus.publish(subjects.discover(role), new Uint8Array(0), { reply: question.reply });
    const again = repeat(clock, DISCOVER_AGAIN_MS, ask);
    ask();
  });
}

/** The error of whoever has found nobody. It names what the bus has not permitted, since that may be why. */
export function nobodyAnswers(bus: Bus, what: string, remedy: string): ArmatureError {
  const { denials } = bus;
  if (denials.length === 0) return new ArmatureError('unreachable', what, { remedy });
  const denied = denials.map(({ operation, subject }) => `${operation} to ${subject}`).join(', or to ');
  return new ArmatureError('unreachable', `${what}, and NATS does not permit this process to ${denied}`, {
    remedy: `${PERMIT} ${remedy}`,
    details: { denials },
  });
}

/** Throws `invalid-config` when the bus does not let this process hear what it subscribes to. */
export async function requireToHear(bus: Bus): Promise<void> {
  await bus.flush().catch(() => undefined); // a lost connection says nothing about permissions
  const denials = bus.denials.filter(({ operation }) => operation === 'subscribe');
  if (denials.length === 0) return;
  const subjects = denials.map(({ subject }) => subject).join(', ');
  throw new ArmatureError('invalid-config', `NATS does not permit this process to subscribe to ${subjects}`, {
    remedy: PERMIT,
    details: { denials },
  });
}

const PERMIT = 'Give its NATS user the permissions of its role: armature nats-config writes them.';
