/**
 * The shopping cart of the paper (sections 4.4 and 6.1): "add to cart" must never be refused and never be lost, so two carts that
 * were written at the same time are both kept, and merged when somebody looks.
 *
 * A cart is a map from item to a quantity and a time. Merging takes, per item, the later of the two; a removal is an entry with
 * quantity 0, not an absence, or the merge would bring the item back. The paper's own merge is the plain union, whose known flaw
 * is just that.
 */
import { json, type Bucket, type Client } from '@armature/client';

export interface Line {
  readonly quantity: number;
  /** When the customer last changed it, ms since the epoch. */
  readonly changedAtMs: number;
}

export type Cart = Readonly<Record<string, Line>>;

/** Does not depend on the order of the carts, and merging a cart with itself changes nothing. */
export function mergeCarts(carts: readonly Cart[]): Cart {
  const merged = new Map<string, Line>();
  for (const cart of carts) {
    for (const [item, line] of Object.entries(cart)) {
      const known = merged.get(item);
      if (known === undefined || isLater(line, known)) merged.set(item, line);
    }
  }
  return Object.fromEntries([...merged].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isLater(line: Line, known: Line): boolean {
  return line.changedAtMs > known.changedAtMs || (line.changedAtMs === known.changedAtMs && line.quantity > known.quantity);
}

export class Carts {
  readonly #bucket: Bucket<Cart>;
  readonly #nowMs: () => number;

  constructor(client: Client, nowMs: () => number = Date.now, bucket = 'default', merge = mergeCarts) {
    this.#bucket = client.bucket(bucket, { codec: json(parseCart), merge });
    this.#nowMs = nowMs;
  }

  add(customer: string, item: string, quantity = 1): Promise<Cart | undefined> {
    return this.#bucket.update(`cart/${customer}`, (cart = {}) => ({
      ...cart,
      [item]: { quantity: (cart[item]?.quantity ?? 0) + quantity, changedAtMs: this.#timeAfter(cart[item]) },
    }));
  }

  remove(customer: string, item: string): Promise<Cart | undefined> {
    return this.#bucket.update(`cart/${customer}`, (cart = {}) => ({
      ...cart,
      [item]: { quantity: 0, changedAtMs: this.#timeAfter(cart[item]) },
    }));
  }

  /** What the customer sees: items with a quantity. */
  async show(customer: string): Promise<Readonly<Record<string, number>>> {
    const entry = await this.#bucket.get(`cart/${customer}`);
    const lines = Object.entries(entry?.value ?? {}).filter(([, { quantity }]) => quantity > 0);
    return Object.fromEntries(lines.map(([item, { quantity }]) => [item, quantity]));
  }

  /**
   * Now, or just after the line that is changed, should that be of a clock ahead of ours: else its copy in another cart would
   * undo the change.
   */
  #timeAfter(line: Line | undefined): number {
    return Math.max(this.#nowMs(), (line?.changedAtMs ?? 0) + 1);
  }

  /** How many concurrent carts the store holds right now. */
  async siblings(customer: string): Promise<number> {
    return (await this.#bucket.get(`cart/${customer}`))?.values.length ?? 0;
  }
}

function parseCart(input: unknown): Cart {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) throw new TypeError('a cart is an object');
  for (const [item, line] of Object.entries(input as Record<string, Partial<Line> | null>)) {
    if (typeof line?.quantity !== 'number' || typeof line.changedAtMs !== 'number')
      throw new TypeError(`line ${item} needs quantity and changedAtMs`);
  }
  return input as Cart;
}
