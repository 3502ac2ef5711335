/**
 * Who is at the other end of a link: a name such as `node.n1` or `client.k3j9`, which is also the tail of the subject that
 * it listens at. Addresses arrive in frames and are published to, so they are checked like any other input.
 */
import { ArmatureError, assert, err, ok, quoted, type Brand, type Result } from '@armature/kernel';
import { isSubjectToken, subjectOf } from './subject.js';

/** One or more subject tokens joined by dots, at most `MAX_ADDRESS_BYTES` long. */
export type LinkAddress = Brand<string, 'LinkAddress'>;

/** A role, a dot, a name of 64, and room for one more token. */
const MAX_ADDRESS_BYTES = 160;

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
  return err(new ArmatureError('invalid-argument', `${quoted(text)} is not a link address`));
}

/** Which frame was refused, and by whom. */
export interface RefusalSubject {
  readonly peer: string;
  readonly password: string;
  readonly frame: number;
}

/** Where the links of one endpoint live on the bus. */
export class LinkSubjects {
  /** Where frames for this endpoint come. */
  readonly frames: string;
  /** What this endpoint subscribes to for refusals of its frames. */
  readonly refusals: string;
  readonly #framesPrefix: string;
  readonly #refusalsPrefix: string;

  /** `prefix` may be several tokens, e.g. `prod.armature`. */
  constructor(prefix: string, cluster: string, own: LinkAddress) {
    const root = [...prefix.split('.'), cluster];
    this.#framesPrefix = `${subjectOf(...root, 'link')}.`;
    this.#refusalsPrefix = `${subjectOf(...root, 'refused', ...own.split('.'))}.`;
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

  /**
   * Where refusals of frames to `address` come; a frame's number is one more token. `password` is known to that peer only, and to
   * who can read the bus: nobody else can refuse a frame.
   */
  refusalsBy(address: LinkAddress, password: string): string {
    return `${this.#refusalsPrefix}${address}.${password}.`;
  }

  /** What the subject of a refusal says; undefined when it is not one. */
  parseRefusal(subject: string): RefusalSubject | undefined {
    const start = this.#refusalsPrefix.length;
    if (!subject.startsWith(this.#refusalsPrefix)) return undefined;
    const tokens = subject.slice(start).split('.');
    const [frame, password] = [Number(tokens.pop()), tokens.pop()];
    return Number.isSafeInteger(frame) && password !== undefined ? { peer: tokens.join('.'), password, frame } : undefined;
  }
}
