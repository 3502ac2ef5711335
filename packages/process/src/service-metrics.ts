/** Metrics of a process, for Prometheus: those of the engines, and Node's own (memory, garbage collection, event loop lag). */
import type { Telemetry } from '@armature/runtime';
import { prometheusTelemetry } from '@armature/runtime/observability';
import { collectDefaultMetrics, Registry } from 'prom-client';

export interface ServiceMetrics {
  readonly telemetry: Telemetry;
  readonly contentType: string;
  /** The page that is scraped. */
  render(): Promise<string>;
}

/** `labels` go on every series: cluster, role, name. */
export function serviceMetrics(labels: Readonly<Record<string, string>>): ServiceMetrics {
  const registry = new Registry();
  registry.setDefaultLabels({ ...labels });
  collectDefaultMetrics({ register: registry });
  return {
    telemetry: prometheusTelemetry(registry),
    contentType: registry.contentType,
    render: () => registry.metrics(),
  };
}
