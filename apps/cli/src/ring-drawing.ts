/**
 * The ring on a terminal: the circle cut open and wound in rows, one letter for each partition (or for several, where there are
 * too many), the letter its owner's. Neighbourhoods, runs and stripes can be seen at a glance.
 */
import type { PartitionId } from '@armature/kernel';
import type { Ring } from '@armature/ring';
import type { Session } from './session.js';

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const PER_ROW = 64;
const MAX_ROWS = 16;

export interface Drawing {
  readonly text: string;
  /** Partitions per letter. */
  readonly step: number;
}

/** The letter of each member, in the order of names. */
export function letterOf(index: number): string {
  return LETTERS[index % LETTERS.length] ?? '?';
}

/** `marked`: a partition to point out. */
export function drawRing(session: Session, ring: Ring, marked: number | undefined): Drawing {
  const { colors } = session;
  const paints = [colors.red, colors.green, colors.yellow, colors.blue, colors.magenta, colors.cyan];
  const indexOf = new Map(ring.members.map(({ node }, index) => [node, index]));
  const step = Math.max(1, Math.ceil(ring.partitionCount / (PER_ROW * MAX_ROWS)));
  const rows: string[] = [];
  for (let start = 0; start < ring.partitionCount; start += PER_ROW * step) {
    let row = '';
    for (let partition = start; partition < Math.min(ring.partitionCount, start + PER_ROW * step); partition += step) {
      const index = indexOf.get(ring.ownerOf(partition as PartitionId)) ?? 0;
      const letter = (paints[index % paints.length] ?? colors.reset)(letterOf(index));
      const isMarked = marked !== undefined && marked >= partition && marked < partition + step;
      row += isMarked ? colors.inverse(colors.isColorSupported ? letter : '*') : letter;
    }
    rows.push(`${String(start).padStart(6)}  ${row}`);
  }
  return { text: rows.join('\n'), step };
}

/** A bar of `width` cells, filled for `part` of `whole`. */
export function barText(part: number, whole: number, width: number): string {
  const eighths = Math.round((whole === 0 ? 0 : part / whole) * width * 8);
  const rest = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8] ?? '';
  return ('█'.repeat(Math.floor(eighths / 8)) + rest).padEnd(width);
}
