/** `npm run rooms`: the files through which a put and a get pass. */
import { climbs, findings } from './check.js';
import { enteredBy } from './entered.js';
import { GET, PUT, roomsOf, type Way } from './ways.js';
import { workspaceHouse } from './workspace-house.js';

const HELP = `npm run rooms: the files through which a put and a get pass, from the application to the disk and back.

  --run    does 200 of each in a cluster in this process, and says which other files ran for every one of them`;

const house = workspaceHouse();

function describe(way: Way): string {
  const rooms = roomsOf(way);
  const legs = way.legs.map(({ what, steps }) => {
    const visits = steps.map(({ room, does }, index) =>
      steps[index - 1]?.room === room ? `, ${does}` : `\n    ${room}  ${does}`,
    );
    return `  ${what}${visits.join('')}`;
  });
  const up = climbs(way, house);
  return [
    `${way.operation}: ${rooms.length} rooms, ${up.length} climbs`,
    ...legs,
    '  climbs',
    ...up.map((one) => `    ${one}`),
  ].join('\n');
}

async function others(way: Way): Promise<string> {
  const onTheWay = new Set(roomsOf(way));
  const entered = [...(await enteredBy(way.operation)).keys()];
  const beside = entered.filter((room) => !onTheWay.has(room)).toSorted();
  return [`  ${beside.length} other files ran for every ${way.operation}`, ...beside.map((room) => `    ${room}`)].join('\n');
}

if (process.argv.includes('--help')) console.log(HELP);
else {
  for (const way of [PUT, GET]) {
    console.log(describe(way));
    if (process.argv.includes('--run')) console.log(await others(way));
    const untrue = findings(way, house);
    for (const finding of untrue) console.error(finding);
    if (untrue.length > 0) process.exitCode = 1;
  }
}
