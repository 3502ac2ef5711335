/**
 * From commander to our actions. A command has two parts. Its listing is what help shows of it among others, and is always there;
 * its definition, with options, examples and an action that gets a session and says how the process is to end, is loaded when the
 * command is given, or its help is asked for. So a command does not wait for the code of all the others. Settings may stand
 * before or after the command's name.
 */
import { EXIT, EXPOSED, KNOWN_SETTINGS, exposedFiles, readConfigFile, resolveSettings, type ExitCode } from '@armature/process';
import { Option, type Command } from 'commander';
import type { CliIo } from './io.js';
import { Session, type Voice } from './session.js';
import { cliShape } from './settings.js';

/** Undefined means done. */
export type Outcome = ExitCode | undefined;

export interface Listing {
  /** `put <bucket> <key> [value]`, as in commander. */
  readonly usage: string;
  readonly summary: string;
  /** Whether the parent's name alone means this command. */
  readonly isDefault?: boolean;
  readonly load: () => Promise<Definition>;
}

export interface Definition<O = object> {
  /** More words than the summary, for the command's own help. */
  readonly details?: string;
  readonly options?: readonly Option[];
  /** Without the leading `armature`, unless it stands in a pipe. */
  readonly examples: readonly string[];
  /** `options` are those of the command itself, by attribute name, as its `options` have read them. */
  run(session: Session, args: readonly (string | undefined)[], options: O): Promise<Outcome>;
}

export interface Commands {
  readonly io: CliIo;
  /** Set by the command that ran. */
  exitCode: ExitCode;
}

/** `O` is what `options` make of the command line. */
export function define<O extends object>(definition: Definition<O>): Definition {
  return definition;
}

/** Adds commands to their parent, where each waits for its definition until it is given. */
export function addCommands(commands: Commands, parent: Command, listings: readonly Listing[]): void {
  const listingOf = new Map<Command, Listing>();
  for (const listing of listings) {
    const { usage, summary, isDefault = false } = listing;
    listingOf.set(parent.command(usage, { isDefault }).summary(summary), listing);
  }
  parent.hook('preSubcommand', async (_parent, command) => {
    const listing = listingOf.get(command);
    if (listing !== undefined) complete(commands, command, await listing.load());
  });
}

function complete(commands: Commands, command: Command, definition: Definition): void {
  const { details, options = [], examples } = definition;
  command.description(details === undefined ? command.summary() : `${command.summary()}\n\n${unwrapped(details)}`);
  for (const option of options) command.addOption(option);
  command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${whole(example)}`).join('\n')}\n`);
  command.action(async () => {
    const session = openSession(commands.io, command);
    try {
      for (const { file, mode, remedy } of exposedFiles(cliShape, session.resolved))
        await session.note(`${EXPOSED}: ${file} has the mode ${mode}. ${remedy}`);
      const args = command.processedArgs.flat() as (string | undefined)[]; // of the last, there may be several
      commands.exitCode = (await definition.run(session, args, command.opts())) ?? EXIT.ok;
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
