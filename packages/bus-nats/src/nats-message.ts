/** A message of the client library in the shape of the port. Everything but the payload is decoded only when asked for. */
import type { BusHeaders, BusMessage } from '@armature/bus';
import { headers as newHeaders, type Msg, type MsgHdrs } from 'nats';

const NO_HEADERS_STATUS = 0;

export class NatsMessage implements BusMessage {
  readonly payload: Uint8Array;
  readonly #message: Msg;
  readonly #publish: (subject: string, payload: Uint8Array, headers: BusHeaders | undefined) => void;

  constructor(message: Msg, publish: (subject: string, payload: Uint8Array, headers: BusHeaders | undefined) => void) {
    this.#message = message;
    this.payload = message.data;
    this.#publish = publish;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get reply(): string | undefined {
    const reply = this.#message.reply;
    return reply === undefined || reply === '' ? undefined : reply;
  }

  get headers(): BusHeaders | undefined {
    const headers = this.#message.headers;
    return headers === undefined ? undefined : new Map(headers);
  }

  get status(): number | undefined {
    const code = this.#message.headers?.code ?? NO_HEADERS_STATUS;
    return code === NO_HEADERS_STATUS ? undefined : code;
  }

  respond(payload: Uint8Array, options: { readonly headers?: BusHeaders | undefined } = {}): boolean {
    const reply = this.reply;
    if (reply === undefined) return false;
    this.#publish(reply, payload, options.headers);
    return true;
  }
}

export function toNatsHeaders(headers: BusHeaders): MsgHdrs {
  const out = newHeaders();
  for (const [name, values] of headers) {
    for (const value of values) out.append(name, value);
  }
  return out;
}
