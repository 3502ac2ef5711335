/** Commands about the command line itself: `config show`, `version`, `exit-codes`. None needs a cluster. */
import { EXIT_CODE_TEXTS, renderSettings, shownSettings } from '@armature/process';
import { SERVER_VERSION } from '@armature/server';
import type { Command } from 'commander';
import { define, type Commands } from '../command.js';
import { cliShape } from '../settings.js';

export function defineConfig(commands: Commands, config: Command): void {
  define(commands, config, {
    usage: 'show',
    summary: 'show the effective settings and where each comes from',
    details:
      'Flags win over variables (ARMATURE_...), variables over the configuration file, the file over defaults. Secrets are\nshown as stars.',
    examples: ['config show', 'config show --nats nats://10.0.0.5:4222 --json'],
    async run(session) {
      const shown = shownSettings(cliShape, session.resolved);
      if (session.voice.json) await session.printJson(shown);
      else await session.print(renderSettings(shown));
      return undefined;
    },
  });
}

export function defineVersion(commands: Commands, program: Command): void {
  define(commands, program, {
    usage: 'version',
    summary: 'show the version of this program',
    examples: ['version'],
    async run(session) {
      const facts = { armature: SERVER_VERSION, node: process.versions.node };
      if (session.voice.json) await session.printJson(facts);
      else await session.print(`armature ${facts.armature}, Node ${facts.node}`);
      return undefined;
    },
  });
}

export function exitCodesText(): string {
  return EXIT_CODE_TEXTS.map(([code, text]) => `  ${String(code).padStart(3)}  ${text}`).join('\n');
}

export function defineExitCodes(commands: Commands, program: Command): void {
  define(commands, program, {
    usage: 'exit-codes',
    summary: 'list what the exit codes mean',
    details: exitCodesText(),
    examples: ['exit-codes', 'get default greeting || test $? -eq 4 && echo absent'],
    async run(session) {
      if (session.voice.json) await session.printJson(Object.fromEntries(EXIT_CODE_TEXTS));
      else await session.print(exitCodesText());
      return undefined;
    },
  });
}
