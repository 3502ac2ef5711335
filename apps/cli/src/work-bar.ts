/** A progress bar for work that a cluster does while the command line waits: on standard error, and on a terminal only. */
import { SingleBar } from 'cli-progress';
import type { Session } from './session.js';

/** How far it is. `progress` is 0 to 1; `value` of `total` are what `update` was told. */
export interface WorkDone {
  readonly progress: number;
  readonly value: number;
  readonly total: number;
}

export interface WorkBar {
  update(done: number, of: number, words: string): void;
  stop(): void;
}

const CELLS = 24;

/** `verb` goes before the cells, and what `figure` makes of the state behind them. */
export function showWorkBar(session: Session, verb: string, figure: (done: WorkDone) => string): WorkBar {
  const { stderr } = session.io;
  if (session.voice.json || stderr.isTTY !== true) return { update() {}, stop() {} };
  const bar = new SingleBar({
    stream: stderr,
    hideCursor: true,
    format: (_options, done, payload: { words?: string }) => {
      const filled = Math.round(CELLS * done.progress);
      return `${verb} ${'█'.repeat(filled)}${'░'.repeat(CELLS - filled)} ${figure(done)}  ${payload.words ?? ''}`;
    },
  });
  bar.start(1, 0, {});
  return {
    update(done, of, words) {
      bar.setTotal(Math.max(1, of));
      bar.update(of === 0 ? 1 : done, { words });
    },
    stop: () => bar.stop(),
  };
}
