/** Connecting over NATS: the front door of the library. */
import { connectNatsBus, type NatsBusOptions } from '@armature/bus-nats';
import { noTelemetry, silentLog, systemClock, systemRandom, type Logger, type Telemetry } from '@armature/runtime';
import { connectOver, type Client, type ClientOptions } from './client.js';

export interface ConnectOptions extends ClientOptions {
  /** NATS URLs; `nats://127.0.0.1:4222` by default. */
  readonly servers?: string | readonly string[];
  /** Shown by the server's connection list. */
  readonly name?: string;
  /** Credentials and TLS of the NATS connection. */
  readonly nats?: Partial<Omit<NatsBusOptions, 'servers' | 'name' | 'clock' | 'log' | 'telemetry'>>;
  readonly log?: Logger;
  readonly telemetry?: Telemetry;
}

/** Errors: `bus-unavailable` when no NATS server answers, `invalid-config`, `no-cluster`. */
export async function connect(options: ConnectOptions): Promise<Client> {
  const { log = silentLog, telemetry = noTelemetry } = options;
  const clock = systemClock;
  const random = systemRandom();
  const servers =
    typeof options.servers === 'string' ? options.servers.split(',') : (options.servers ?? ['nats://127.0.0.1:4222']);
  const bus = await connectNatsBus({ ...options.nats, servers, name: options.name ?? 'armature-client', clock, log, telemetry });
  try {
    return await connectOver({ bus, clock, random, log, telemetry }, options);
  } catch (thrown) {
    await bus.drain();
    throw thrown;
  }
}
