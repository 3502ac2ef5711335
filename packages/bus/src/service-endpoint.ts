/** What every adapter does around the handler of a service endpoint. */
import type { Logger } from '@armature/runtime';
import type { BusEndpoint, BusHandler } from './bus.js';
import { serviceErrorHeaders } from './headers.js';

const NO_PAYLOAD = new Uint8Array(0);

/** The endpoint's handler, answering with a service error of code 500 where it throws, so that nobody waits for a timeout. */
export function answeringErrors(endpoint: BusEndpoint, log: Logger): BusHandler {
  return (message) => {
    try {
      endpoint.handler(message);
    } catch (error) {
      log.error({ endpoint: endpoint.name, error }, 'a service endpoint threw');
      const description = error instanceof Error ? error.message : String(error);
      message.respond(NO_PAYLOAD, { headers: serviceErrorHeaders(500, description) });
    }
  };
}
