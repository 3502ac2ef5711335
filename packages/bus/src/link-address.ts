/**
 * Who is at the other end of a link: a name such as `node.n1` or `client.k3j9`, which is also the tail of the subject that
 * it listens at. Addresses arrive in frames and are published to, so they are checked like any other input.
 */
import { ArmatureError, assert, err, ok, type Brand, type Result } from '@armature/kernel';
import { isSubjectToken, subjectOf } from './subject.js';

/** One or more subject tokens joined by dots, at most `MAX_ADDRESS_BYTES` long. */
export type LinkAddress = Brand<string, 'LinkAddress'>;

/** A role, a dot, a name of 64, and room for one more token. */
export const MAX_ADDRESS_BYTES = 160;

/** The address of these tokens, which are programmer's names: `linkAddress('node', nodeId)`. */
export function linkAddress(...tokens: readonly string[]): LinkAddress {
  const address = subjectOf(...tokens);
  assert(address.length <= MAX_ADDRESS_BYTES, `an address has at most ${MAX_ADDRESS_BYTES} bytes`);
  return address as LinkAddress;
}

export function isLinkAddress(text: string): text is LinkAddress {
  return text.length <= MAX_ADDRESS_BYTES && text.split('.').every(isSubjectToken);
}

export function parseLinkAddress(text: string): Result<LinkAddress, ArmatureError> {
  if (isLinkAddress(text)) return ok(text);
  return err(new ArmatureError('invalid-argument', `${JSON.stringify(text.slice(0, 80))} is not a link address`));
}

/** Where the links of one endpoint live on the bus. */
export class LinkSubjects {
  /** Where frames for this endpoint come. */
  readonly frames: string;
  /** What this endpoint subscribes to for refusals of its frames. */
  readonly refusals: string;
  readonly #framesPrefix: string;
  readonly #refusalsPrefix: string;

  /**
   * `prefix` may be several tokens, e.g. `prod.armature`. Refusals carry the session, so that those of frames of a former life
   * of the same address do not reach this one.
   */
  constructor(prefix: string, cluster: string, own: LinkAddress, session: number) {
    const root = [...prefix.split('.'), cluster];
    this.#framesPrefix = `${subjectOf(...root, 'link')}.`;
    this.#refusalsPrefix = `${subjectOf(...root, 'refused', ...own.split('.'), session.toString(36))}.`;
    this.frames = this.framesOf(own);
    this.refusals = `${this.#refusalsPrefix}>`;
  }

  /** Where frames for `address` are published. */
  framesOf(address: LinkAddress): string {
    return this.#framesPrefix + address;
  }

  /** The address that frames to `subject` are for; undefined when no frames go there. */
  addressAt(subject: string): string | undefined {
    return subject.startsWith(this.#framesPrefix) ? subject.slice(this.#framesPrefix.length) : undefined;
  }

  /** Where refusals of frames to `address` come; a frame's number is one more token. */
  refusalsBy(address: LinkAddress): string {
    return `${this.#refusalsPrefix}${address}.`;
  }

  /** The peer and the frame's number in the subject of a refusal; undefined when it is not one. */
  parseRefusal(subject: string): { readonly peer: string; readonly frame: number } | undefined {
    const start = this.#refusalsPrefix.length;
    const dot = subject.lastIndexOf('.');
    if (!subject.startsWith(this.#refusalsPrefix) || dot < start) return undefined;
    const frame = Number(subject.slice(dot + 1));
    return Number.isSafeInteger(frame) ? { peer: subject.slice(start, dot), frame } : undefined;
  }
}
