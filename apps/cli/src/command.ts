/**
 * From commander to our actions. Every command is registered through `define`: its words, options and examples, and an action
 * that gets a session and says how the process is to end. Settings may stand before or after the command's name.
 */
import { EXIT, EXPOSED, KNOWN_SETTINGS, exposedFiles, readConfigFile, resolveSettings, type ExitCode } from '@armature/process';
import { Option, type Command } from 'commander';
import type { CliIo } from './io.js';
import { Session, type Voice } from './session.js';
import { cliShape } from './settings.js';

/** Undefined means done. */
export type Outcome = ExitCode | undefined;

export interface Definition<O> {
  /** `put <bucket> <key> [value]`, as in commander. */
  readonly usage: string;
  readonly summary: string;
  /** More words, for the command's own help. */
  readonly details?: string;
  readonly options?: readonly Option[];
  /** Whether the parent's name alone means this command. */
  readonly isDefault?: boolean;
  /** Without the leading `armature`, unless it stands in a pipe. */
  readonly examples: readonly string[];
  readonly run: (session: Session, args: readonly (string | undefined)[], options: O) => Promise<Outcome>;
}

export interface Commands {
  readonly io: CliIo;
  /** Set by the command that ran. */
  exitCode: ExitCode;
}

export function define<O extends object>(commands: Commands, parent: Command, definition: Definition<O>): void {
  const command = parent.command(definition.usage, { isDefault: definition.isDefault ?? false }).summary(definition.summary);
  command.description(
    definition.details === undefined ? definition.summary : `${definition.summary}\n\n${unwrapped(definition.details)}`,
  );
  for (const option of definition.options ?? []) command.addOption(option);
  command.addHelpText('after', `\nExamples:\n${definition.examples.map((example) => `  $ ${whole(example)}`).join('\n')}\n`);
  command.action(async () => {
    const session = openSession(commands.io, command);
    try {
      for (const { file, mode, remedy } of exposedFiles(cliShape, session.resolved))
        await session.note(`${EXPOSED}: ${file} has the mode ${mode}. ${remedy}`);
      const args = command.processedArgs.flat() as (string | undefined)[]; // of the last, there may be several
      commands.exitCode = (await definition.run(session, args, command.opts<O>())) ?? EXIT.ok;
    } finally {
      await session.close();
    }
  });
}

/** An option whose text is checked when the command line is read. `parse` throws an `ArmatureError`. */
export function option(flags: string, help: string, parse?: (text: string) => unknown): Option {
  const made = new Option(flags, help);
  return parse === undefined ? made : made.argParser(parse);
}

/** An option that may be given several times. */
export function repeated(flags: string, help: string): Option {
  return new Option(flags, help).argParser((text: string, before: readonly string[] | undefined) => [...(before ?? []), text]);
}

export function voiceOf(flags: Readonly<Record<string, unknown>>): Voice {
  return { json: flags['json'] === true, debug: flags['debug'] === true };
}

/** Commander breaks lines to the width of the terminal; only blank lines and indented ones are meant as they stand. */
function unwrapped(details: string): string {
  return details.replaceAll(/(?<=[^\n])\n(?=[^\n ])/g, ' ');
}

function whole(example: string): string {
  return example.includes('armature ') ? example : `armature ${example}`;
}

function openSession(io: CliIo, command: Command): Session {
  const flags: Readonly<Record<string, unknown>> = rootOf(command).opts();
  const file = readConfigFile(flags['config'], io.env, KNOWN_SETTINGS);
  return new Session(io, voiceOf(flags), resolveSettings(cliShape, { flags, env: io.env, file }));
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}
