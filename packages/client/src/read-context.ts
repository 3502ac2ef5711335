/**
 * The context of a read, carried for the user: what the reader has seen, opaque and sealed. In a direct client it is sealed only
 * when it leaves (most reads are not followed by a write, and a seal costs an HMAC); from a router it comes sealed.
 */
import { contextFromText, contextToText } from '@armature/versioning';
import { unwrap, type NodeId } from '@armature/kernel';

export class ReadContext {
  #bytes: Uint8Array | undefined;
  readonly #seal: (() => Uint8Array) | undefined;
  /** The replica that answered fastest; the following write goes there first. Unknown for contexts from outside. */
  readonly fastest: NodeId | undefined;

  private constructor(bytes: Uint8Array | undefined, seal: (() => Uint8Array) | undefined, fastest: NodeId | undefined) {
    this.#bytes = bytes;
    this.#seal = seal;
    this.fastest = fastest;
  }

  static sealedBy(seal: () => Uint8Array, fastest: NodeId): ReadContext {
    return new ReadContext(undefined, seal, fastest);
  }

  static fromBytes(bytes: Uint8Array): ReadContext {
    return new ReadContext(bytes, undefined, undefined);
  }

  /** From `toString`'s text. Throws `invalid-context` for what is not one; whether it is authentic shows at the write. */
  static fromString(text: string): ReadContext {
    return ReadContext.fromBytes(unwrap(contextFromText(text)));
  }

  toBytes(): Uint8Array {
    this.#bytes ??= this.#seal?.() ?? new Uint8Array(0);
    return this.#bytes;
  }

  /** For a cookie, a form field, a URL. */
  toString(): string {
    return contextToText(this.toBytes());
  }
}
