/** From the connection's settings to what the NATS adapter needs: contexts and credentials files are read here. */
import { readNatsOptions, type NatsSettings, type ResolvedNatsOptions } from '@armature/bus-nats/options';
import type { connectionSettings } from './catalogue.js';
import type { ValuesOf } from './setting.js';

type ConnectionValues = ValuesOf<typeof connectionSettings>;

/**
 * `readAgain` gives the values as they are whenever the process connects: a password in the configuration file may have been
 * rotated. Errors: `invalid-config`. The environment is not asked again: settings have it already, and a variable must not win
 * over a flag.
 */
export function natsServerOptions(
  values: ConnectionValues,
  readAgain: () => ConnectionValues = () => values,
): ResolvedNatsOptions {
  return {
    ...readNatsOptions(natsSettingsOf(values), {}),
    credentials: () => readNatsOptions(natsSettingsOf(readAgain()), {}).credentials(),
  };
}

function natsSettingsOf(values: ConnectionValues): NatsSettings {
  return {
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
  };
}
