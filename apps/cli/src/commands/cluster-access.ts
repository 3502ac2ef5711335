/**
 * `armature cluster access`: whether applications need a token, and of which generation. A record of the history, so every router
 * and node knows it by itself.
 */
import { quoted } from '@armature/kernel';
import type { Access, TokenDemand } from '@armature/rights';
import { define, option, type Outcome } from '../command.js';
import { invalid } from '../parse.js';
import type { Session } from '../session.js';

export const clusterAccessCommand = define<{ tokens?: TokenDemand }>({
  details:
    'Where tokens are required, a request without one is refused; where they are optional, one that is shown is checked all the same.\n' +
    'Give the applications their tokens first (armature token create), and then require them. Raise the generation with: armature token revoke.',
  options: [option('--tokens <demand>', 'required or optional', demand)],
  examples: ['cluster access', 'cluster access --tokens required'],
  run: (session, _args, options) => access(session, options.tokens),
});

async function access(session: Session, tokens: TokenDemand | undefined): Promise<Outcome> {
  const { admin } = await session.client();
  const before = await admin.access();
  if (tokens === before.tokens) await session.note(`Tokens are ${tokens} already.`);
  const isNews = tokens !== undefined && tokens !== before.tokens;
  if (isNews) await admin.demandTokens(tokens);
  const now: Access = isNews ? { ...before, tokens } : before;
  if (session.voice.json) await session.printJson({ tokens: now.tokens, generation: now.generation });
  else await session.print(`tokens ${now.tokens}, generation ${now.generation}`);
  return undefined;
}

function demand(text: string): TokenDemand {
  if (text === 'required' || text === 'optional') return text;
  throw invalid(`--tokens ${quoted(text)} is not valid`, 'Use required or optional.');
}
