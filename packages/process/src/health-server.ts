/**
 * The HTTP door for operators: is it alive, is it ready, what are its figures.
 *
 *   GET /livez     200 while the process runs: restart it when this fails
 *   GET /readyz    200 when it can serve; 503, with the reasons, while it cannot: send it no work
 *   GET /metrics   Prometheus
 *
 * It carries no data, so it listens on the loopback interface unless told otherwise. What it tells of the cluster can be kept for
 * those who bear a token: then /metrics asks for it, and /readyz gives its reasons to nobody else. Whether a process lives and is
 * ready needs none, since probes have none.
 */
import { ArmatureError } from '@armature/kernel';
import { fastify, type FastifyRequest } from 'fastify';
import { bearsToken } from './http-tokens.js';
import type { ServiceMetrics } from './service-metrics.js';

export interface Readiness {
  readonly ready: boolean;
  /** Why not. */
  readonly notes: readonly string[];
}

export interface HealthServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly readiness: () => Readiness;
  readonly metrics: Pick<ServiceMetrics, 'render' | 'contentType'>;
  /** Any of them opens /metrics; undefined: it is open. */
  readonly tokens?: readonly string[] | undefined;
}

export interface HealthServer {
  readonly port: number;
  /** `http://127.0.0.1:7600` */
  readonly url: string;
  /** Ends open connections. Idempotent. */
  close(): Promise<void>;
}

/** A scrape takes milliseconds; who needs longer to ask is not a client of ours. */
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_BODY_BYTES = 1_024;

/** Errors: `invalid-config`, naming port and flag, when it cannot listen there. */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const server = fastify({ forceCloseConnections: true, requestTimeout: REQUEST_TIMEOUT_MS, bodyLimit: MAX_BODY_BYTES });
  server.get('/livez', () => ({ alive: true }));
  const mayKnow = ({ headers }: FastifyRequest): boolean =>
    options.tokens === undefined || bearsToken(headers.authorization, options.tokens);
  server.get('/readyz', (request, reply) => {
    const { ready, notes } = options.readiness();
    return reply.code(ready ? 200 : 503).send(mayKnow(request) ? { ready, notes } : { ready });
  });
  server.get('/metrics', async (request, reply) => {
    if (mayKnow(request)) return reply.type(options.metrics.contentType).send(await options.metrics.render());
    return reply
      .code(401)
      .header('www-authenticate', 'Bearer')
      .send({ error: 'a token is needed: Authorization: Bearer <token>' });
  });
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ error: 'not found', paths: ['/livez', '/readyz', '/metrics'] }),
  );
  try {
    await server.listen({ host: options.host, port: options.port });
  } catch (thrown) {
    throw cannotListen(thrown as NodeJS.ErrnoException, options);
  }
  const address = server.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return { port, url: `http://${host}:${port}`, close: () => server.close() };
}

function cannotListen(error: NodeJS.ErrnoException, { host, port }: HealthServerOptions): ArmatureError {
  const [why, remedy] =
    error.code === 'EADDRINUSE'
      ? [
          `port ${port} on ${host} is in use`,
          'Choose another with --http-port (0 takes any free one), or end the process that has it.',
        ]
      : error.code === 'EACCES'
        ? [`port ${port} may not be used by this user`, 'Choose one above 1023 with --http-port.']
        : error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND'
          ? [`${host} is no address of this machine`, 'Correct --http-host; 0.0.0.0 listens on all addresses.']
          : [`cannot listen on ${host}:${port}: ${error.message}`, 'Correct --http-host and --http-port.'];
  return new ArmatureError('invalid-config', why, { remedy, cause: error, details: { field: 'httpPort', port, host } });
}
