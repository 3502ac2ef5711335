/** Who took part in an operation, in words: `n1 primary durable, n2 primary ok, n4 fallback ok`. */
import type { Receipt } from '@armature/protocol';
import type { Session } from './session.js';

function receiptText(receipt: Receipt): string {
  return receipt.replicas.map(({ node, role, outcome }) => `${node} ${role} ${outcome}`).join(', ');
}

export interface ReceiptOption {
  readonly receipt?: boolean;
}

/** For `--receipt`, on standard error, so that the answer stays alone on standard output. */
export async function tellReceipt(session: Session, options: ReceiptOption, receipt: Receipt): Promise<void> {
  if (options.receipt === true) await session.note(`coordinator ${receipt.coordinator}: ${receiptText(receipt)}`);
}
