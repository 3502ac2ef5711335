/**
 * What the protocol says of one kind of message: its bytes, and who may ask for it with which ring. The rows of all kinds are in
 * `message-table.ts`; a new kind is its types, its row, and a handler where it is answered.
 */
import type { ByteReader, ByteWriter } from '@armature/kernel';
import type { Reply, Request } from './messages.js';

export type Kind = Request['kind'];
export type RequestOf<K extends Kind> = Extract<Request, { kind: K }>;
export type ReplyOf<K extends Kind> = Extract<Reply, { kind: K }>;

/** The fields of a message in order, after its tag. See `codec.ts` for what encoders and decoders promise. */
export interface MessageCodec<M> {
  readonly encode: (w: ByteWriter, message: M) => void;
  readonly decode: (r: ByteReader) => M;
}

export interface MessageRow<K extends Kind> {
  /** The first byte of its requests and replies. The tag of a kind that is gone is not used again. */
  readonly tag: number;
  /** Whether a node refuses it from those who have another ring (`stale-ring`): it is about what one owner holds. */
  readonly isFenced: boolean;
  /** Whether values are answered. Links make such requests wait while much waits to be sent to the same peer. */
  readonly mayHaveLargeAnswer: boolean;
  readonly request: MessageCodec<RequestOf<K>>;
  readonly reply: MessageCodec<ReplyOf<K>>;
}

export type MessageRows<K extends Kind> = { readonly [One in K]: MessageRow<One> };

/** What answers requests of these kinds. `sender` is what the link knows of who asks. */
export type Handlers<K extends Kind, Sender> = {
  readonly [One in K]: (request: RequestOf<One>, sender: Sender) => ReplyOf<One> | Promise<ReplyOf<One>>;
};

/** The handler of this request's kind, if there is one. */
export function handlerOf<K extends Kind, Sender>(
  handlers: Partial<Handlers<Kind, Sender>>,
  request: RequestOf<K>,
): ((request: RequestOf<K>, sender: Sender) => ReplyOf<K> | Promise<ReplyOf<K>>) | undefined {
  return handlers[request.kind];
}

/** The codec of a message that says nothing but its kind. */
export function bare<const K extends Kind>(kind: K): MessageCodec<{ readonly kind: K }> {
  return { encode: () => undefined, decode: () => ({ kind }) };
}
