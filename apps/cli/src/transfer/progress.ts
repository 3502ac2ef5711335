/** Progress of a long transfer, on standard error and on a terminal only: a bar where the end is known, else a count. */
import { Presets, SingleBar } from 'cli-progress';
import { countText, durationText, sizeText } from '../format.js';
import type { Session } from '../session.js';

export interface Progress {
  /** `doneBytes`: of the input, or written. */
  update(records: number, doneBytes: number): void;
  stop(): void;
}

const SILENT: Progress = { update() {}, stop() {} };
const FRAMES_PER_S = 8;

/** `totalBytes`: of the input, where it is known. */
export function showProgress(session: Session, what: string, totalBytes: number | undefined): Progress {
  const { stderr, clock } = session.io;
  if (session.voice.json || stderr.isTTY !== true) return SILENT;
  const startedMs = clock.monotonicMs();
  const bar = new SingleBar(
    {
      stream: stderr,
      fps: FRAMES_PER_S,
      hideCursor: true,
      barsize: 24,
      etaBuffer: 200,
      format: (_options, { eta, progress, value }, payload: { records?: number }) => {
        const seconds = Math.max(0.001, (clock.monotonicMs() - startedMs) / 1_000);
        const records = payload.records ?? 0;
        const counts = `${countText(records)} records, ${countText(Math.round(records / seconds))}/s, ${sizeText(value)}`;
        if (totalBytes === undefined) return `${what} ${counts}, ${durationText(seconds * 1_000)}`;
        const filled = Math.round(24 * progress);
        const left = Number.isFinite(eta) ? `, ${durationText(eta * 1_000)} left` : '';
        return `${what} ${'█'.repeat(filled)}${'░'.repeat(24 - filled)} ${Math.floor(progress * 100)} %  ${counts}${left}`;
      },
    },
    Presets.shades_classic,
  );
  bar.start(Math.max(1, totalBytes ?? 1), 0, { records: 0 });
  return {
    update: (records, doneBytes) => bar.update(doneBytes, { records }),
    stop: () => bar.stop(),
  };
}
