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

/** Where the links of one cluster live on the bus. */
export class LinkSubjects {
  readonly #linkPrefix: string;
  readonly #refusalPrefix: string;

  /** `prefix` may be several tokens, e.g. `prod.armature`. */
  constructor(prefix: string, cluster: string) {
    const root = [...prefix.split('.'), cluster];
    this.#linkPrefix = `${subjectOf(...root, 'link')}.`;
    this.#refusalPrefix = `${subjectOf(...root, 'refused')}.`;
  }

  /** Where frames for `address` are published. */
  frames(address: LinkAddress): string {
    return this.#linkPrefix + address;
  }

  /** Where refusals of the frames that `from` sent to `to` come; a frame's number is one more token. */
  refusals(from: LinkAddress, to: LinkAddress): string {
    return `${this.#refusalPrefix}${from}.to.${to}.`;
  }

  /** What `address` subscribes to for all refusals of its frames. */
  allRefusals(address: LinkAddress): string {
    return `${this.#refusalPrefix}${address}.to.>`;
  }

  /** The peer and the frame's number in the subject of a refusal that came to `own`; undefined when it is not one. */
  parseRefusal(own: LinkAddress, subject: string): { readonly peer: string; readonly frame: number } | undefined {
    const prefix = `${this.#refusalPrefix}${own}.to.`;
    const dot = subject.lastIndexOf('.');
    if (!subject.startsWith(prefix) || dot < prefix.length) return undefined;
    const frame = Number(subject.slice(dot + 1));
    return Number.isSafeInteger(frame) ? { peer: subject.slice(prefix.length, dot), frame } : undefined;
  }
}
