/** Commands about the command line itself: `config show`, `version`, `exit-codes`. None needs a cluster. */
import { EXIT_CODE_TEXTS, renderSettings, shownSettings } from '@armature/process';
import { define } from '../command.js';
import { cliShape } from '../settings.js';
import { tellVersion } from '../version.js';

export const configShowCommand = define({
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

export const versionCommand = define({
  examples: ['version'],
  async run({ io, voice }) {
    await tellVersion(io, voice.json);
    return undefined;
  },
});

function exitCodesText(): string {
  return EXIT_CODE_TEXTS.map(([code, text]) => `  ${String(code).padStart(3)}  ${text}`).join('\n');
}

export const exitCodesCommand = define({
  details: exitCodesText(),
  examples: ['exit-codes', 'get default greeting || test $? -eq 4 && echo absent'],
  async run(session) {
    if (session.voice.json) await session.printJson(Object.fromEntries(EXIT_CODE_TEXTS));
    else await session.print(exitCodesText());
    return undefined;
  },
});
