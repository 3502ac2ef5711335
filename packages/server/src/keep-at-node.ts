/** Routers and workers keep nothing, so records of commands that were given to them go to a node. */
import type { LinkAddress } from '@armature/bus';
import type { Participant } from '@armature/coordination';
import { toArmatureError, type ArmatureError } from '@armature/kernel';
import { nodeAddress, type CommandRecord } from '@armature/protocol';
import type { Logger } from '@armature/runtime';

const ATTEMPTS = 3;
const TIMEOUT_MS = 2_000;

/** Does not reject: where no node takes it, the log of this process has it. */
export async function keepAtNode({ membership, monitor, link }: Participant, command: CommandRecord, log: Logger): Promise<void> {
  let problem: ArmatureError | undefined;
  for (const node of monitor.order([...membership.view.members.keys()]).slice(0, ATTEMPTS)) {
    try {
      await link.request(nodeAddress(node) as LinkAddress, { kind: 'keep-command', command }, TIMEOUT_MS);
      return;
    } catch (thrown) {
      problem = toArmatureError(thrown);
      if (problem.details['executed'] !== 'no') break; // it may have been kept: two records would be two commands
    }
  }
  log.warn({ err: problem, ...command }, 'no node keeps the record of this command');
}
