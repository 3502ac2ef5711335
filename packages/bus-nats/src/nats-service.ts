/**
 * A service of the bus as a NATS micro service. The client library closes a whole service when one of its subscriptions
 * is denied, or, when the server's configuration is reloaded, believes that it still has it. So a service that lacks anything is
 * made anew as a whole.
 */
import { DEFAULT_SERVICE_QUEUE, type BusEndpoint, type BusService } from '@armature/bus';
import type { Msg, NatsConnection, NatsError, Service } from 'nats';
import type { Interest } from './nats-interests.js';

export type EndpointCallback = (error: NatsError | null, message: Msg) => void;

/** The subjects of NATS service discovery: `$SRV.<verb>`, `$SRV.<verb>.<service>`, `$SRV.<verb>.<service>.<instance>`. */
const DISCOVERY = '$SRV';

export class NatsService implements Interest {
  readonly #connection: NatsConnection;
  readonly #service: BusService;
  readonly #callbackOf: (endpoint: BusEndpoint) => EndpointCallback;
  #running: Service | undefined;
  /** Stopped for good, maybe while it is being renewed. */
  #isOver = false;

  constructor(connection: NatsConnection, service: BusService, callbackOf: (endpoint: BusEndpoint) => EndpointCallback) {
    this.#connection = connection;
    this.#service = service;
    this.#callbackOf = callbackOf;
  }

  async start(): Promise<void> {
    const { name, version, description, metadata, endpoints } = this.#service;
    this.#running = await this.#connection.services.add({
      name,
      version,
      description,
      ...(metadata === undefined ? {} : { metadata: { ...metadata } }),
    });
    for (const endpoint of endpoints) {
      this.#running.addEndpoint(endpoint.name, {
        subject: endpoint.subject,
        queue: endpoint.queue ?? DEFAULT_SERVICE_QUEUE,
        handler: this.#callbackOf(endpoint),
        ...(endpoint.metadata === undefined ? {} : { metadata: { ...endpoint.metadata } }),
      });
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running?.stop();
  }

  async renew(): Promise<void> {
    await this.#running?.stop();
    if (!this.#isOver) await this.start();
  }

  /** All of service discovery goes by one name, since an instance is another each time. */
  nameOf(subject: string): string | undefined {
    const [first, , service] = subject.split('.');
    if (first === DISCOVERY) return service === undefined || service === this.#service.name ? `${DISCOVERY}.>` : undefined;
    return this.#service.endpoints.find((endpoint) => endpoint.subject === subject)?.subject;
  }
}
