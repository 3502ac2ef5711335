/** From the connection's settings to what the NATS adapter needs: contexts and credentials files are read here. */
import { readNatsOptions, type NatsServerOptions } from '@armature/bus-nats';
import type { connectionSettings } from './catalogue.js';
import type { ValuesOf } from './setting.js';

/**
 * Errors: `invalid-config`. The environment is not asked again: settings have it already, and a variable must not win over a flag.
 */
export function natsServerOptions(values: ValuesOf<typeof connectionSettings>): NatsServerOptions {
  return readNatsOptions(
    {
      server: values.nats,
      user: values.natsUser,
      password: values.natsPassword,
      token: values.natsToken,
      creds: values.creds,
      nkey: values.nkey,
      tlscert: values.tlscert,
      tlskey: values.tlskey,
      tlsca: values.tlsca,
      context: values.natsContext,
    },
    {},
  );
}
