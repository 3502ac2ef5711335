/**
 * `npm test`: everything that decides whether this tree is good, from a fresh checkout, with one command.
 *
 * In order: dependencies, nats-server and redis-server (found or fetched), the build with its types, lint and
 * formatting, unit tests, integration tests on real processes, fuzzing, and the built output. All of it runs even when
 * something fails, except what could not mean anything any more. The last line is the verdict in numbers, summed
 * over vitest's tests and the checks around them.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureDependencies } from './lib/dependencies.mjs';
import { resolveNatsServer } from './lib/nats-server.mjs';
import { resolveRedisServer } from './lib/redis-server.mjs';
import { runCommand } from './lib/run-command.mjs';
import { runMain } from './lib/run-main.mjs';
import { formatDuration, sayOut, UsageError } from './lib/say.mjs';
import { formatTable } from './lib/table.mjs';
import { addTallies, failure, NOTHING, SUCCESS, tallyOfReport, verdictLine } from './lib/tally.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SUITES = ['types', 'lint', 'unit', 'fuzz', 'integration'];
const MINUTE_MS = 60_000;
/**
 * Of fuzzing, for each target: 18 of them, two at a time, take a minute in CI. `npm run fuzz` by itself takes longer, and finds
 * more.
 */
const FUZZ_SECONDS = isCi() ? 5 : 3;

const HELP = `npm test [-- options] [filter ...]

  --only SUITE   one of ${SUITES.join(', ')}; may be repeated
  --fuzz-seconds N
                 how long each decoder and door is fuzzed; ${FUZZ_SECONDS} by default here, more in CI
  --help         this text
  filter ...     vitest's own filters and options, for example:  npm test -- ring   or   npm test -- -t "put: W=2"
                 With a filter, only unit and integration tests run.

  NATS_SERVER_BIN, REDIS_SERVER_BIN   the servers to test with, instead of those found or fetched
  CI=true                             a missing nats-server fails instead of skipping its tests, and fuzzing takes longer

The last line is "N passed, N failed", with ", N skipped" where tests were.`;

/**
 * @typedef {import('./lib/tally.mjs').Tally} Tally
 * @typedef {{name: string, tally: Tally, tookMs: number}} StepResult
 */

await runMain(async () => {
  const { help, only, filters, fuzzSeconds } = readArguments(process.argv.slice(2));
  if (help) {
    sayOut(HELP);
    return 0;
  }
  const wants = (/** @type {string} */ suite) =>
    only.length > 0 ? only.includes(suite) : filters.length === 0 || suite === 'unit' || suite === 'integration';
  await ensureDependencies({ root: ROOT, mayReplace: true, say: sayOut });
  /** @type {StepResult[]} */
  const results = [];

  const types = wants('types') ? await checkStep('types', 'node_modules/.bin/tsc', ['-b'], 6 * MINUTE_MS) : undefined;
  if (types !== undefined) results.push(types);
  if (wants('lint')) {
    results.push(
      ...(await Promise.all([
        checkStep('lint', 'node_modules/.bin/eslint', ['.', '--max-warnings', '0'], 4 * MINUTE_MS),
        checkStep('format', 'node_modules/.bin/prettier', ['--check', '--log-level', 'warn', '.'], 4 * MINUTE_MS),
      ])),
    );
  }
  const suites = ['unit', 'integration'].filter(wants);
  if (suites.length > 0) {
    const servers = await findServers();
    results.push(...servers.results);
    for (const suite of suites) results.push(await vitestStep(suite, filters, servers.env));
  }
  if (wants('fuzz') && types?.tally.failed !== 1) results.push(await fuzzStep(fuzzSeconds));
  if (filters.length > 0 && results.every(({ tally }) => tally.passed + tally.failed + tally.skipped === 0)) {
    throw new UsageError(`no test matches ${filters.join(' ')}`);
  }
  if (types !== undefined && only.length === 0) {
    if (types.tally.failed === 0)
      results.push(await checkStep('built output', process.execPath, ['tools/smoke.mjs'], 4 * MINUTE_MS));
    else sayOut('built output: not tried, because the build failed');
  }

  const total = results.map(({ tally }) => tally).reduce(addTallies, NOTHING);
  const rows = results.map(({ name, tally, tookMs }) => [
    name,
    String(tally.passed),
    String(tally.failed),
    String(tally.skipped),
    formatDuration(tookMs),
  ]);
  sayOut(`\n${formatTable(['', 'passed', 'failed', 'skipped', 'took'], rows)}\n`);
  sayOut(verdictLine(total));
  return total.failed === 0 ? 0 : 1;
});

/**
 * @param {readonly string[]} args
 */
function readArguments(args) {
  let fuzzSeconds = FUZZ_SECONDS;
  /** @type {string[]} */
  const only = [];
  /** @type {string[]} */
  const filters = [];
  let help = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg === '--help' || arg === '-h') help = true;
    else if (arg === '--only') only.push(args[++i] ?? '');
    else if (arg.startsWith('--only=')) only.push(arg.slice('--only='.length));
    else if (arg === '--fuzz-seconds') fuzzSeconds = Number(args[++i]);
    else if (arg.startsWith('--fuzz-seconds=')) fuzzSeconds = Number(arg.slice('--fuzz-seconds='.length));
    else filters.push(arg);
  }
  const unknown = only.find((suite) => !SUITES.includes(suite));
  if (unknown !== undefined) throw new UsageError(`--only ${unknown}: there is no such suite`, [`Suites: ${SUITES.join(', ')}.`]);
  if (!(fuzzSeconds > 0)) throw new UsageError('--fuzz-seconds: give a number above 0');
  return { help, only, filters, fuzzSeconds };
}

/**
 * A program that passes or fails as a whole; its output is shown when it fails.
 * @param {string} name
 * @param {string} command
 * @param {readonly string[]} args
 * @param {number} timeoutMs
 * @returns {Promise<StepResult>}
 */
async function checkStep(name, command, args, timeoutMs) {
  const startedAt = Date.now();
  const result = await runCommand(command, args, { cwd: ROOT, env: { ...process.env, NX_DAEMON: 'false' }, timeoutMs });
  const tookMs = Date.now() - startedAt;
  if (result.code === 0) {
    sayOut(`${name}: passed (${formatDuration(tookMs)})`);
    if (name === 'fuzz') sayOut(result.stdout.trim());
    return { name, tally: SUCCESS, tookMs };
  }
  sayOut(`${result.output.trim()}\n${name}: FAILED (exit code ${result.code}, ${formatDuration(tookMs)})`);
  return { name, tally: failure(1), tookMs };
}

/**
 * Each target for so long, always from the same seed: a tree that has passed passes again. New seeds are for `npm run fuzz`.
 * @param {number} seconds
 * @returns {Promise<StepResult>}
 */
async function fuzzStep(seconds) {
  return checkStep(
    'fuzz',
    process.execPath,
    ['tools/run.mjs', 'fuzz', '--minutes', String(seconds / 60), '--seed', '1'],
    4 * MINUTE_MS + seconds * 20_000,
  );
}

/**
 * The servers that tests start, by the environment variables that tests read.
 * @returns {Promise<{env: NodeJS.ProcessEnv, results: StepResult[]}>}
 */
async function findServers() {
  const nats = await resolveNatsServer({ root: ROOT, acceptUrl: false, say: sayOut });
  const redis = await resolveRedisServer({ root: ROOT, say: sayOut });
  sayOut(`nats-server: ${nats.said}\nredis-server: ${redis.said}`);
  /** @type {StepResult[]} */
  const results = [];
  if (nats.kind === 'none') {
    sayOut(['Tests on a real nats-server are skipped. To run them:', ...nats.hints].join('\n  '));
    if (isCi()) results.push({ name: 'nats-server', tally: failure(1), tookMs: 0 });
  }
  if (redis.kind === 'none') sayOut(['Tests of the Redis adapter are skipped. To run them:', ...redis.hints].join('\n  '));
  return {
    env: {
      ...process.env,
      ...(nats.kind === 'binary' ? { NATS_SERVER_BIN: nats.path } : {}),
      ...(redis.kind === 'binary' ? { REDIS_SERVER_BIN: redis.path } : {}),
    },
    results,
  };
}

function isCi() {
  const ci = process.env['CI'];
  return ci !== undefined && ci !== '' && ci !== 'false' && ci !== '0';
}

/**
 * @param {string} suite a project of vitest.config.ts
 * @param {readonly string[]} filters
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<StepResult>}
 */
async function vitestStep(suite, filters, env) {
  const startedAt = Date.now();
  const directory = join(ROOT, 'node_modules', '.cache', 'armature-test');
  const report = join(directory, `${suite}-${process.pid}.json`);
  mkdirSync(directory, { recursive: true });
  sayOut(`${suite} tests ...`);
  const colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined ? { FORCE_COLOR: '1' } : {};
  const args = ['run', '--project', suite, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...filters];
  if (filters.length > 0) args.push('--passWithNoTests');
  const { code } = await runCommand('node_modules/.bin/vitest', args, {
    cwd: ROOT,
    env: { ...env, ...colour },
    timeoutMs: 18 * MINUTE_MS,
    show: true,
  });
  const tally = tallyOfReport(readReport(report), code);
  rmSync(report, { force: true });
  return { name: `${suite} tests`, tally, tookMs: Date.now() - startedAt };
}

/**
 * @param {string} path
 * @returns {unknown} undefined where vitest has not come so far
 */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
