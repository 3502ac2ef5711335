/**
 * Several nats-servers joined as in production, by the routes of one NATS cluster or by gateways between the clusters of several
 * sites, with a proxy of ours in every connection between two of them. So a zone or a site can be cut off from the others while
 * all processes on both sides stay up.
 *
 * Servers tell each other their addresses and would connect past the proxies. Therefore each pair of servers of a site has a
 * proxy for each direction, and a server advertises an address for routes at which nobody listens; and each gateway has one proxy
 * in front of it, which is what it advertises. `links` asks the servers themselves, by their monitoring ports, what is connected,
 * so that a test can see that a cut is one.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolveNatsServer } from '../lib/nats-server.mjs';
import { spawnNats, type PrivateNats } from '../lib/spawn-nats.mjs';
import { TcpProxy, type CutKind } from './tcp-proxy.js';
import { workspaceRoot } from './workspace-root.js';

export interface NatsNetworkOptions {
  readonly directory: string;
  /** The names of the servers by site: the servers of a site are one NATS cluster, sites are joined by gateways. */
  readonly sites: Readonly<Record<string, readonly string[]>>;
  /** More lines for every server's configuration. */
  readonly config?: string;
}

interface Ports {
  readonly client: number;
  readonly monitoring: number;
  readonly routes: number;
  readonly gateway: number | undefined;
}

interface Server {
  readonly name: string;
  /** What it calls itself in the others' monitoring. */
  readonly id: string;
  readonly site: string;
  readonly nats: PrivateNats;
  readonly ports: Ports;
}

/** A direction between two servers, or (`from` undefined) from any server of another site to a gateway. */
interface Passage {
  readonly from: string | undefined;
  readonly to: string;
  readonly proxy: TcpProxy;
}

/** What a server says it is connected to. */
export interface Links {
  /** Names of the servers of its cluster. */
  readonly routes: readonly string[];
  /** Names of the sites that it can send to and that send to it. */
  readonly gateways: readonly string[];
}

/** Nobody listens there, so an address learnt from another server leads nowhere. */
const NOWHERE = '127.0.0.1:1';
const LISTEN = '127.0.0.1:-1';
const READY_TIMEOUT_MS = 20_000;
const POLL_MS = 50;

export class NatsNetwork {
  readonly #servers: readonly Server[];
  readonly #passages: readonly Passage[];

  private constructor(servers: readonly Server[], passages: readonly Passage[]) {
    this.#servers = servers;
    this.#passages = passages;
  }

  /** Starts all servers and waits until each is connected to all it should be. */
  static async start(options: NatsNetworkOptions): Promise<NatsNetwork> {
    const binary = await resolveNatsServer({
      root: workspaceRoot(import.meta.dirname),
      acceptUrl: false,
      say: () => undefined,
    });
    if (binary.kind !== 'binary') throw new Error(`no nats-server: ${binary.said}`);
    const passages: Passage[] = [];
    const servers: Server[] = [];
    const sites = Object.entries(options.sites);
    try {
      for (const [, names] of sites) {
        for (const to of names) {
          for (const from of names) if (from !== to) passages.push({ from, to, proxy: await TcpProxy.open() });
          if (sites.length > 1) passages.push({ from: undefined, to, proxy: await TcpProxy.open() });
        }
      }
      for (const [site, names] of sites) {
        for (const name of names) {
          const file = join(options.directory, `nats-${name}.conf`);
          writeFileSync(file, configOf(options, passages, site, name));
          const logFile = join(options.directory, `nats-${name}.log`);
          const nats = await spawnNats({ binary: binary.path, args: ['-c', file], logFile });
          const ports = await portsOf(logFile, nats.port, sites.length > 1);
          const { server_id: id } = (await askMonitoring(ports, 'varz')) as { server_id: string };
          servers.push({ name, id, site, nats, ports });
        }
      }
      for (const { from, to, proxy } of passages) {
        const { ports } = servers.find(({ name }) => name === to) as Server;
        proxy.target(from === undefined ? (ports.gateway as number) : ports.routes);
      }
      const network = new NatsNetwork(servers, passages);
      await network.untilWhole();
      return network;
    } catch (error) {
      await new NatsNetwork(servers, passages).stop();
      throw error;
    }
  }

  /** Where the clients of a server connect. */
  urlOf(server: string): string {
    return this.#server(server).nats.url;
  }

  /** Cuts these servers off from the others of their site; among themselves they stay connected. */
  cutOff(servers: readonly string[], kind: CutKind = 'reset'): void {
    for (const { from, to, proxy } of this.#passages) {
      if (from !== undefined && servers.includes(from) !== servers.includes(to)) proxy.cut(kind);
    }
  }

  /** Cuts every site off from every other. */
  cutGateways(kind: CutKind = 'reset'): void {
    for (const { from, proxy } of this.#passages) if (from === undefined) proxy.cut(kind);
  }

  heal(): void {
    for (const { proxy } of this.#passages) proxy.heal();
  }

  /** What a server is connected to by its own account. */
  async links(server: string): Promise<Links> {
    const { ports } = this.#server(server);
    const { routes } = (await askMonitoring(ports, 'routez')) as { routes?: readonly { remote_id: string }[] };
    const gateways = (await askMonitoring(ports, 'gatewayz')) as {
      outbound_gateways?: Readonly<Record<string, unknown>>;
      inbound_gateways?: Readonly<Record<string, readonly unknown[]>>;
    };
    const sites = [...Object.keys(gateways.outbound_gateways ?? {}), ...Object.keys(gateways.inbound_gateways ?? {})];
    const nameOf = (id: string): string => this.#servers.find((one) => one.id === id)?.name ?? id;
    return { routes: unique((routes ?? []).map(({ remote_id }) => nameOf(remote_id))), gateways: unique(sites) };
  }

  /** Resolves when every server says that it is connected to all others of its site, and to all other sites. */
  async untilWhole(): Promise<void> {
    const sites = unique(this.#servers.map(({ site }) => site));
    for (const { name, site } of this.#servers) {
      const mates = this.#servers.filter((one) => one.site === site && one.name !== name).map((one) => one.name);
      const isWhole = ({ routes, gateways }: Links): boolean =>
        mates.every((mate) => routes.includes(mate)) && sites.every((other) => other === site || gateways.includes(other));
      await eventually(`${name} is connected to all`, async () => isWhole(await this.links(name)));
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map(({ nats }) => nats.stop()));
    await Promise.all(this.#passages.map(({ proxy }) => proxy.close()));
  }

  #server(name: string): Server {
    const server = this.#servers.find((one) => one.name === name);
    if (server === undefined) throw new Error(`no nats-server named ${name}`);
    return server;
  }
}

function configOf(options: NatsNetworkOptions, passages: readonly Passage[], site: string, name: string): string {
  const sites = Object.entries(options.sites);
  const portTo = (to: string, from: string | undefined): number =>
    (passages.find((one) => one.from === from && one.to === to) as Passage).proxy.port;
  const mates = options.sites[site]?.filter((mate) => mate !== name) ?? [];
  const routes = mates.map((mate) => `nats-route://127.0.0.1:${portTo(mate, name)}`);
  const lines = [
    `server_name: ${name}`,
    `http: ${LISTEN}`,
    `cluster { name: ${site}, listen: "${LISTEN}", advertise: "${NOWHERE}", no_advertise: true, routes: ${JSON.stringify(routes)} }`,
  ];
  if (sites.length > 1) {
    const others = sites.filter(([other]) => other !== site);
    const gateways = others.map(([other, names]) => {
      const urls = names.map((one) => `nats://127.0.0.1:${portTo(one, undefined)}`);
      return `{ name: ${other}, urls: ${JSON.stringify(urls)} }`;
    });
    const own = `127.0.0.1:${portTo(name, undefined)}`;
    lines.push(`gateway { name: ${site}, listen: "${LISTEN}", advertise: "${own}", gateways: [${gateways.join(', ')}] }`);
  }
  return [...lines, options.config ?? '', ''].join('\n');
}

/** The system picks all ports; the log says which. */
async function portsOf(logFile: string, client: number, hasGateway: boolean): Promise<Ports> {
  let found: Ports | undefined;
  await eventually(`${logFile} names all ports`, () => {
    const log = readFileSync(logFile, 'utf8');
    const port = (words: RegExp): number | undefined => {
      const match = words.exec(log);
      return match === null ? undefined : Number(match[1]);
    };
    const monitoring = port(/Starting http monitor on 127\.0\.0\.1:(\d+)/);
    const routes = port(/Listening for route connections on 127\.0\.0\.1:(\d+)/);
    const gateway = port(/Listening for gateways connections on 127\.0\.0\.1:(\d+)/);
    if (monitoring !== undefined && routes !== undefined && (gateway !== undefined || !hasGateway))
      found = { client, monitoring, routes, gateway };
    return Promise.resolve(found !== undefined);
  });
  return found as Ports;
}

async function askMonitoring({ monitoring }: Ports, path: string): Promise<unknown> {
  return (await fetch(`http://127.0.0.1:${monitoring}/${path}`)).json();
}

async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + READY_TIMEOUT_MS; ; await new Promise((next) => setTimeout(next, POLL_MS))) {
    if (await isSo()) return;
    if (performance.now() > endMs) throw new Error(`not within ${READY_TIMEOUT_MS / 1000} s: ${what}`);
  }
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
