/** Reading one figure from what a process shows of its metrics. */

/**
 * The sum of a metric over all its labels, from Prometheus' text; 0 when there is none. `labels` is text that a line must have.
 */
export function metricOf(text: string, name: string, labels = ''): number {
  const lines = text
    .split('\n')
    .filter((line) => /[ {]/.test(line[name.length] ?? '') && line.startsWith(name) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
