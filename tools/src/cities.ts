/**
 * The cities of the world as key-value pairs: a data set that is real, small enough to load in seconds, and large
 * enough (some 170,000 pairs) to see a ring fill evenly.
 *
 * A key should be what a person would look up, `FR/Paris`, and must be unique. Most names are unique within their
 * country; where several places share one, all of them carry their first-level region (`US/Springfield, Illinois`), those
 * still alike their second level too, and the last few a number. Keys depend on the data and its order only.
 */
export interface CityRecord {
  readonly name: string;
  readonly lat: string;
  readonly lng: string;
  /** ISO 3166 code of two letters. */
  readonly country: string;
  /** GeoNames code of the first-level division within the country; may be empty. */
  readonly admin1: string;
  /** GeoNames code of the second-level division within the first; may be empty. */
  readonly admin2: string;
}

/** GeoNames' name of a division; `code` is `US.IL` or `US.IL.167`. */
export interface DivisionRecord {
  readonly code: string;
  readonly name: string;
}

export interface City {
  readonly name: string;
  readonly country: string;
  /** First-level division, by name where GeoNames has one, else by code; empty where there is none. */
  readonly region: string;
  /** Second-level division, likewise. */
  readonly district: string;
  /** Degrees north. */
  readonly latitude: number;
  /** Degrees east. */
  readonly longitude: number;
}

export interface KeyedCity {
  readonly key: string;
  readonly value: City;
}

export function citiesWithKeys(
  records: readonly CityRecord[],
  admin1: readonly DivisionRecord[],
  admin2: readonly DivisionRecord[],
): KeyedCity[] {
  const divisions = new Map([...admin1, ...admin2].map(({ code, name }) => [code, name]));
  const cities = records.map((record) => toCity(record, divisions));
  const keys = uniqueKeys(cities);
  return cities.map((value, index) => ({ key: keys[index] ?? '', value }));
}

function toCity(record: CityRecord, divisions: ReadonlyMap<string, string>): City {
  const { name, country, admin1, admin2 } = record;
  return {
    name,
    country,
    region: divisions.get(`${country}.${admin1}`) ?? admin1,
    district: divisions.get(`${country}.${admin1}.${admin2}`) ?? admin2,
    latitude: Number(record.lat),
    longitude: Number(record.lng),
  };
}

/** From the shortest form to the longest; a form that adds nothing is the one before it. */
const FORMS: readonly ((city: City) => string)[] = [
  ({ country, name }) => `${country}/${name}`,
  ({ country, name, region }) => `${country}/${[name, region].filter(Boolean).join(', ')}`,
  ({ country, name, region, district }) => `${country}/${[name, region, district].filter(Boolean).join(', ')}`,
];

/** One key per city, in the same order: the shortest form that no other city shares. */
function uniqueKeys(cities: readonly City[]): string[] {
  const keys = cities.map(() => '');
  const used = new Set<string>();
  let undecided = cities.map((city, index) => ({ city, index }));
  for (const form of FORMS) {
    const counts = new Map<string, number>();
    for (const { city } of undecided) counts.set(form(city), (counts.get(form(city)) ?? 0) + 1);
    const shared: typeof undecided = [];
    for (const entry of undecided) {
      const key = form(entry.city);
      if (counts.get(key) === 1 && !used.has(key)) {
        keys[entry.index] = key;
        used.add(key);
      } else {
        shared.push(entry);
      }
    }
    undecided = shared;
  }
  const longest = FORMS.at(-1);
  for (const { city, index } of undecided) {
    const base = longest?.(city) ?? '';
    let key = base;
    for (let number = 2; used.has(key); number++) key = `${base} #${number}`;
    keys[index] = key;
    used.add(key);
  }
  return keys;
}

/** One JSON object per line, each ended by a line feed. */
export function toJsonLines(cities: readonly KeyedCity[]): string {
  return cities.map((city) => `${JSON.stringify(city)}\n`).join('');
}

const COLUMNS = ['name', 'country', 'region', 'district', 'latitude', 'longitude'] as const;

/** RFC 4180 with a header, except that lines end in a line feed alone. */
export function toCsv(cities: readonly KeyedCity[]): string {
  const rows = cities.map(({ key, value }) => [key, ...COLUMNS.map((column) => String(value[column]))]);
  return [['key', ...COLUMNS], ...rows].map((row) => `${row.map(quoted).join(',')}\n`).join('');
}

function quoted(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
