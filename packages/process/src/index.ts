/**
 * `@armature/process`: what every Armature process shares. Configuration, logging, metrics and health over HTTP, how to
 * start and how to stop, how errors and exit codes look.
 */
export * from './catalogue.js';
export * from './cluster-secret.js';
export * from './config-file.js';
export * from './exit-codes.js';
export * from './health-server.js';
export * from './http-tokens.js';
export * from './lifecycle.js';
export * from './log-output.js';
export * from './nats-connection.js';
export * from './own-name.js';
export * from './own-token.js';
export * from './private-files.js';
export * from './render-error.js';
export * from './resolve-settings.js';
export * from './run-service.js';
export * from './secret-arguments.js';
export * from './service-command.js';
export * from './service-log.js';
export * from './service-metrics.js';
export * from './setting.js';
export * from './setting-options.js';
export * from './show-settings.js';
