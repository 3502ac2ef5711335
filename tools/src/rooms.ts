/** The ways of a put and of a get, for the test that holds them. */
export { climbs, findings, nameOf, type House } from './rooms/check.js';
export { enteredBy } from './rooms/entered.js';
export { GET, PUT, roomsOf, type Way } from './rooms/ways.js';
export { workspaceHouse } from './rooms/workspace-house.js';
