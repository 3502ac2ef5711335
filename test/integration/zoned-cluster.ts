/**
 * A cluster of real processes in several zones, with a nats-server in each; those of one site form a NATS cluster, and sites are
 * joined by gateways. A node is in the zone that its name begins with.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@armature/client';
import { NatsNetwork } from '@armature/tools/nats-network';
import { ProcessCluster } from '@armature/tools/process-cluster';

export const PARTITIONS = 32;

export const zoneOf = (node: string): string => node.charAt(0);

export interface ZonedCluster {
  readonly network: NatsNetwork;
  readonly cluster: ProcessCluster;
  /** A client that is connected to the nats-server of a zone. */
  clientIn(zone: string): Promise<Client>;
  stop(): Promise<void>;
}

/** `sites`: of each its zones. The first zone of all is that of everything that is no node. */
export async function startZonedCluster(
  sites: Readonly<Record<string, readonly string[]>>,
  nodes: readonly string[],
): Promise<ZonedCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'armature-'));
  const [home = ''] = Object.values(sites).flat();
  const network = await NatsNetwork.start({ directory, sites });
  const cluster = await ProcessCluster.start({
    nodes,
    routers: [],
    storage: 'memory',
    partitionCount: PARTITIONS,
    zoneOf,
    dataDirectory: join(directory, 'cluster'),
    network: { urlOf: (member) => network.urlOf(zoneOf(member ?? home)), stop: () => network.stop() },
  });
  const clients: Client[] = [];
  return {
    network,
    cluster,
    async clientIn(zone) {
      const client = await cluster.connect({ routing: 'direct', servers: network.urlOf(zone) });
      clients.push(client);
      return client;
    },
    async stop() {
      for (const client of clients) await client.close();
      await cluster.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
