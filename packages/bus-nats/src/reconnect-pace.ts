/**
 * The pace at which a lost connection is tried again.
 *
 * The client library notes by the wall clock when it last tried a server, and tries that server again when a pause has passed by
 * this clock. Where the wall clock is set back by an hour in between, it tries no server for an hour, and the process hears
 * nobody for so long.
 *
 * Before each attempt the library asks how long the pause is to be. At that moment an attempt that lies in the future is moved to
 * now.
 */
import type { Clock } from '@armature/runtime';
import type { NatsConnection } from 'nats';
import { NatsConnectionImpl } from 'nats/lib/nats-base-client/internal_mod.js';

/** The pauses stay as they are. */
export function paceReconnects(connection: NatsConnection, clock: Clock): void {
  if (!(connection instanceof NatsConnectionImpl)) return;
  const { options, servers } = connection.protocol;
  const pauseMs = options.reconnectDelayHandler;
  if (pauseMs === undefined) return;
  options.reconnectDelayHandler = () => {
    const nowMs = clock.nowMs();
    for (const server of servers.getServers()) server.lastConnect = Math.min(server.lastConnect, nowMs);
    return pauseMs();
  };
}
