/**
 * The codec of a door where only some kinds of requests are answered. What is of another kind is refused by its first byte:
 * nothing of it is read, so that nobody who may not ask it can have a process parse a large document.
 */
import type { ArmatureError, ByteReader } from '@armature/kernel';
import { peekKind, protocolCodec } from './codec.js';
import type { Request } from './messages.js';

/** `refusal` says why a request of another kind is not answered here. */
export function doorCodec(
  kinds: ReadonlySet<Request['kind']>,
  refusal: (kind: Request['kind']) => ArmatureError,
): typeof protocolCodec {
  return {
    ...protocolCodec,
    decodeRequest(r: ByteReader): Request {
      const kind = peekKind(r);
      if (!kinds.has(kind)) throw refusal(kind);
      return protocolCodec.decodeRequest(r);
    },
  };
}
