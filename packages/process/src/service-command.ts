/**
 * The command line of a long-running process: settings as flags, `--show-config`, `--help`, `--version`. Reading it either
 * gives the configuration, or says that the process is to end, with what exit code and what last words.
 */
import { redactUrlsIn, toArmatureError } from '@armature/kernel';
import { Command, CommanderError } from 'commander';
import { KNOWN_SETTINGS } from './catalogue.js';
import { readConfigFile } from './config-file.js';
import { EXIT, EXIT_CODE_TEXTS, exitCodeOf } from './exit-codes.js';
import { exposedFiles, type ExposedFile } from './private-files.js';
import { renderError } from './render-error.js';
import { resolveSettings, type Environment, type Resolved } from './resolve-settings.js';
import { refuseSecretArguments, withoutValues } from './secret-arguments.js';
import type { Shape, ValuesOf } from './setting.js';
import { addSettingOptions, environmentOnlyHelp } from './setting-options.js';
import { renderSettings, shownSettings } from './show-settings.js';
import { versionText } from './version.js';

export interface ServiceCommand<S extends Shape> {
  /** `armature-node` */
  readonly command: string;
  readonly version: string;
  readonly description: string;
  readonly shape: S;
  /** Command lines, for help. */
  readonly examples: readonly string[];
}

export type CommandOutcome<S extends Shape> =
  | {
      readonly kind: 'run';
      readonly values: ValuesOf<S>;
      /** Files with secrets in them that others of this machine may read. */
      readonly exposed: readonly ExposedFile[];
      /** The values as they are now, if the configuration file has changed. Throws `invalid-config`. */
      readonly readAgain: () => ValuesOf<S>;
    }
  | { readonly kind: 'exit'; readonly code: number; readonly stdout: string; readonly stderr: string };

/** `args` without the program's own name. `color`: of error messages. */
export function readServiceCommand<S extends Shape>(
  spec: ServiceCommand<S>,
  args: readonly string[],
  env: Environment,
  color: boolean,
): CommandOutcome<S> {
  let stdout = '';
  let stderr = '';
  const command = addSettingOptions(new Command(spec.command), spec.shape)
    .description(spec.description)
    .option('--show-config', 'print the effective configuration and where each value comes from, then end')
    .version(versionText(spec.command, spec.version), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this')
    .addHelpText('after', afterHelp(spec))
    .configureOutput({ writeOut: (text) => (stdout += text), writeErr: (text) => (stderr += text) })
    .showHelpAfterError(`(${spec.command} --help lists the flags)`)
    .exitOverride();
  try {
    refuseSecretArguments(spec.shape, args);
    command.parse(args, { from: 'user' });
    const flags: Readonly<Record<string, unknown>> = command.opts();
    const resolve = (): Resolved<S> =>
      resolveSettings(spec.shape, { flags, env, file: readConfigFile(flags['config'], env, KNOWN_SETTINGS) });
    const resolved = resolve();
    if (flags['showConfig'] !== true)
      return {
        kind: 'run',
        values: resolved.values,
        exposed: exposedFiles(spec.shape, resolved),
        readAgain: () => resolve().values,
      };
    return { kind: 'exit', code: EXIT.ok, stdout: renderSettings(shownSettings(spec.shape, resolved)), stderr };
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      return {
        kind: 'exit',
        code: thrown.exitCode === 0 ? EXIT.ok : EXIT.usage,
        stdout,
        stderr: redactUrlsIn(withoutValues(stderr, args)),
      };
    }
    const error = toArmatureError(thrown);
    return { kind: 'exit', code: exitCodeOf(error.code), stdout, stderr: renderError(error, { color, debug: false }) };
  }
}

/** Variables that look like ours and are no setting: typing errors, most likely. */
export function unknownVariables(env: Environment, known: ReadonlySet<string>): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith('ARMATURE_') && !known.has(name))
    .sort();
}

function afterHelp<S extends Shape>(spec: ServiceCommand<S>): string {
  return `
By environment or configuration file only:
${environmentOnlyHelp(spec.shape)}

A flag wins over its variable (in brackets), a variable over the configuration file.

Exit codes:
${[EXIT.ok, EXIT.failure, EXIT.usage, EXIT.unavailable].map((code) => `  ${code}  ${textOf(code)}`).join('\n')}

Examples:
${spec.examples.map((example) => `  $ ${example}`).join('\n')}
`;
}

function textOf(code: number): string {
  return EXIT_CODE_TEXTS.find(([known]) => known === code)?.[1] ?? '';
}
