/**
 * No dot ever names two values (trap: a store that forgot what it wrote gives a name out again, and one of two writes silently
 * loses). Two replicas that hold different versions under one dot are the plain case; but the first version may be gone when the
 * second is made, so a ledger remembers every dot it has seen of every key, from one inventory to the next.
 */
import { createHash } from 'node:crypto';
import { unwrap, utf8Decode } from '@armature/kernel';
import { bucketOfAddress, keyOfAddress, type Address } from '@armature/ring';
import { decodeVersionSet, type Version } from '@armature/versioning';
import { takeInventory, type Auditable, type Inventory } from './inventory.js';

/** A dot under which two different versions were seen. */
export interface DoubleUse {
  readonly bucket: string;
  readonly key: string;
  /** Actor and counter. */
  readonly dot: string;
  /** Operation ids of the two. */
  readonly operations: readonly [string, string];
}

export class DotLedger {
  readonly #versions = new Map<string, string>();
  readonly #doubles: DoubleUse[] = [];

  /** Distinct dots seen of all keys. */
  get size(): number {
    return this.#versions.size;
  }

  get doubles(): readonly DoubleUse[] {
    return this.#doubles;
  }

  /** Takes in all dots of all holdings, strays included. Throws for a set that cannot be decoded. */
  observe({ holdings }: Inventory): void {
    for (const held of holdings.values()) {
      for (const [address, set] of held) {
        for (const { dot, version } of unwrap(decodeVersionSet(set)).siblings) {
          this.#note(address, `${dot.actor}:${dot.counter}`, version);
        }
      }
    }
  }

  #note(address: Address, dot: string, version: Version): void {
    const name = `${dot} ${address}`;
    const text = identityOf(version);
    const known = this.#versions.get(name);
    if (known === undefined) this.#versions.set(name, text);
    else if (known !== text) {
      const operations = [known.slice(0, 16), version.operation] as const;
      this.#doubles.push({ bucket: bucketOfAddress(address), key: utf8Decode(keyOfAddress(address)), dot, operations });
    }
  }
}

/** All that makes two versions different; begins with the operation. */
function identityOf({ operation, at, tombstone, value, meta }: Version): string {
  const digest = createHash('sha256').update(value).digest('hex'); // values may be large
  return `${operation} ${at} ${tombstone} ${digest} ${JSON.stringify(meta)}`;
}

/** Takes an inventory into the ledger, and throws if any dot has named two versions, now or since the ledger was begun. */
export async function expectNoDotNamesTwoValues(target: Auditable, ledger = new DotLedger()): Promise<DotLedger> {
  ledger.observe(await takeInventory(target));
  if (ledger.doubles.length > 0) throw new Error(`dots that name two versions: ${JSON.stringify(ledger.doubles.slice(0, 10))}`);
  return ledger;
}
