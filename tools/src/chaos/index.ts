/** A run of chaos, and what can be shown of it: for the command and for tests. */
export { pageOf } from './page.js';
export { reportText } from './report.js';
export { runChaos, scheduleOf, type ChaosProgress, type ChaosReport } from './run.js';
export { faultText } from './schedule.js';
