/**
 * Running a service: everything about a node or a router process that is not about being a node or a router. In order: the
 * configuration, the log, the HTTP door (so that a port in use shows before anything is opened, and probes are answered while
 * the rest starts), the bus, the service itself; and all of it backwards at the end.
 */
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Bus } from '@armature/bus';
import { connectNatsBus } from '@armature/bus-nats';
import { ArmatureError, type Random } from '@armature/kernel';
import { repeat, systemClock, systemRandom, waitAtMost, type Clock, type Logger, type Telemetry } from '@armature/runtime';
import { KNOWN_SETTINGS, type connectionSettings, type serviceSettings } from './catalogue.js';
import { EXIT, exitCodeOf } from './exit-codes.js';
import { startHealthServer, type Readiness } from './health-server.js';
import { readHttpTokens } from './http-tokens.js';
import { Lifecycle } from './lifecycle.js';
import { LogOutput } from './log-output.js';
import { natsServerOptions } from './nats-connection.js';
import { EXPOSED } from './private-files.js';
import { renderError } from './render-error.js';
import { variableOf } from './resolve-settings.js';
import { readServiceCommand, unknownVariables, type ServiceCommand } from './service-command.js';
import { isPretty, serviceLog } from './service-log.js';
import { serviceMetrics } from './service-metrics.js';
import type { Shape, ValuesOf } from './setting.js';

/** What every service is configured with. */
export type ServiceShape = Shape & typeof connectionSettings & typeof serviceSettings;

export interface ServicePorts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /** Ends the process in good order, with the exit code of the error: for what only a new process can mend. */
  readonly fail: (error: ArmatureError) => void;
}

/** A node or router that runs. */
export interface WiredService {
  readiness(): Readiness;
  /** Finishes what is in hand and closes what it opened. The bus is closed afterwards. */
  stop(): Promise<void>;
}

export interface ServiceSpec<S extends ServiceShape> extends ServiceCommand<S> {
  readonly role: string;
  nameOf(values: ValuesOf<S>): string;
  /**
   * In two steps: what is wrong with the values shows before anything is opened, and the service starts when its ports are there.
   */
  wire(values: ValuesOf<S>): (ports: ServicePorts) => Promise<WiredService>;
}

const READINESS_CHECK_MS = 1_000;

/** Does not return in the sense of being done: the process ends by `process.exit`. */
export async function runService<S extends ServiceShape>(spec: ServiceSpec<S>): Promise<void> {
  const onTerminal = isatty(process.stderr.fd) && process.env['NO_COLOR'] === undefined;
  const outcome = readServiceCommand(spec, process.argv.slice(2), process.env, onTerminal);
  // What still writes to these streams besides the log must not end the process either.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', noteBrokenOutput);
  if (outcome.kind === 'exit') {
    process.stdout.write(outcome.stdout);
    process.stderr.write(outcome.stderr);
    process.exitCode = outcome.code;
    return;
  }
  const { values, exposed, readAgain } = outcome;
  const common: ValuesOf<ServiceShape> = values;
  const name = spec.nameOf(values);
  const clock = systemClock;
  const who = { role: spec.role, name, cluster: common.cluster };
  const format = { format: common.logFormat, isTerminal: process.stdout.isTTY };
  const output = standardOutput(clock, (lost, code) =>
    log.warn({ lost, code }, 'lines of this log could not be written, and are lost'),
  );
  const write = (line: string): void => output.log.write(line);
  const log = serviceLog({ level: common.logLevel, ...format, base: { ...who, pid: process.pid }, write });
  const metrics = serviceMetrics(who);
  metrics.telemetry.observedGauge(
    'armature_log_lines_lost',
    'Lines of the log that could not be written.',
    () => output.log.lost,
  );
  for (const variable of unknownVariables(process.env, KNOWN_VARIABLES)) {
    log.warn({ variable }, 'an environment variable looks like a setting and is none');
  }
  for (const { file, mode, remedy } of exposed) log.warn({ file, mode, remedy }, EXPOSED);

  const lifecycle = new Lifecycle({
    process,
    clock,
    log,
    drainMs: common.drainMs,
    onStartFailure(error) {
      // On a terminal both would say the same to the same eyes.
      if (!isPretty(format)) log.error({ err: error }, 'could not start');
      output.lastWords.write(renderError(error, { color: onTerminal, debug: common.logLevel === 'debug' }));
    },
  });
  let service: WiredService | undefined;
  const readiness = (): Readiness => {
    if (lifecycle.stopping) return { ready: false, notes: ['shutting down'] };
    return service?.readiness() ?? { ready: false, notes: ['starting'] };
  };

  await lifecycle.run(async () => {
    const start = spec.wire(values);
    const servers = natsServerOptions(common, readAgain);

    const tokens = common.httpTokenFile === undefined ? undefined : readHttpTokens(common.httpTokenFile);
    const http = await startHealthServer({ host: common.httpHost, port: common.httpPort, readiness, metrics, tokens });
    lifecycle.add('http', () => http.close());
    log.info({ http: http.url, version: spec.version }, 'health and metrics are served');

    const bus = await connectNatsBus({
      ...servers,
      name: `armature-${spec.role}-${name}`,
      clock,
      log,
      telemetry: metrics.telemetry,
    });
    lifecycle.add('bus', async () => {
      // The server's last word is a courtesy: by now everything else is done.
      if (!(await waitAtMost(clock, common.drainMs / 4, bus.drain())))
        log.warn({}, 'the bus does not answer: left it without its word');
    });
    log.info({ nats: servers.servers }, 'connected to NATS');
    bus.onEvent((event) => {
      if (event.kind !== 'closed' || lifecycle.stopping) return;
      log.error({ err: new ArmatureError('bus-unavailable', 'the NATS connection was closed for good') }, 'the bus is gone');
      void lifecycle.stop('the bus is gone', EXIT.unavailable);
    });

    const fail = (error: ArmatureError): void => {
      if (lifecycle.stopping) return;
      log.error({ err: error }, 'this process cannot go on, and ends so that a new one is started');
      void lifecycle.stop(error.message, exitCodeOf(error.code));
    };
    const started = await start({ bus, clock, random: systemRandom(), log, telemetry: metrics.telemetry, fail });
    service = started;
    lifecycle.add(spec.role, () => started.stop());
    lifecycle.add('readiness log', logReadiness(clock, log, readiness));
  });
}

/** Where the log goes, and, for people, why the process did not start. */
function standardOutput(clock: Clock, onRecovered: (lost: number, code: string) => void): Record<'log' | 'lastWords', LogOutput> {
  const log = new LogOutput({ write: (bytes) => writeSync(process.stdout.fd, bytes), clock, onRecovered });
  const lastWords = new LogOutput({ write: (bytes) => writeSync(process.stderr.fd, bytes), clock });
  process.on('exit', () => {
    log.flush();
    lastWords.flush();
  });
  return { log, lastWords };
}

/** Of `--help` and `--show-config`, which are for a reader who wants all of it; one that has had enough is no failure. */
function noteBrokenOutput({ code }: NodeJS.ErrnoException): void {
  if (code !== 'EPIPE') process.exitCode = EXIT.failure;
}

/** Tells when readiness comes and goes. Returns the way to end it. */
function logReadiness(clock: Clock, log: Logger, readiness: () => Readiness): () => Promise<void> {
  let told: boolean | undefined;
  const look = (): void => {
    const { ready, notes } = readiness();
    if (ready === told) return;
    told = ready;
    if (ready) log.info({}, 'ready');
    else log.warn({ notes }, 'not ready');
  };
  look();
  const timer = repeat(clock, READINESS_CHECK_MS, look);
  return () => {
    timer.cancel();
    return Promise.resolve();
  };
}

const KNOWN_VARIABLES: ReadonlySet<string> = new Set(['ARMATURE_CONFIG', ...KNOWN_SETTINGS.map(variableOf)]);
