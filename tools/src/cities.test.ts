import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { citiesWithKeys, toCsv, toJsonLines, type CityRecord } from './cities.js';

const ADMIN1 = [
  { code: 'US.IL', name: 'Illinois' },
  { code: 'US.MO', name: 'Missouri' },
];
const ADMIN2 = [
  { code: 'US.IL.167', name: 'Sangamon County' },
  { code: 'US.IL.003', name: 'Alexander County' },
];

function city(name: string, country: string, admin1 = '', admin2 = ''): CityRecord {
  return { name, country, admin1, admin2, lat: '1.5', lng: '-2.25' };
}

function keysOf(records: readonly CityRecord[]): string[] {
  return citiesWithKeys(records, ADMIN1, ADMIN2).map(({ key }) => key);
}

describe('keys', () => {
  test('a name that is unique in its country is the key', () => {
    expect(keysOf([city('Paris', 'FR', '11'), city('Paris', 'US', 'IL')])).toEqual(['FR/Paris', 'US/Paris']);
  });

  test('places that share a name all carry their region', () => {
    expect(keysOf([city('Springfield', 'US', 'IL'), city('Springfield', 'US', 'MO')])).toEqual([
      'US/Springfield, Illinois',
      'US/Springfield, Missouri',
    ]);
  });

  test('those that share the region too carry their district, and the rest a number', () => {
    const same = city('Union', 'US', 'IL', '003');
    expect(keysOf([city('Union', 'US', 'MO'), city('Union', 'US', 'IL', '167'), same, same, same])).toEqual([
      'US/Union, Missouri',
      'US/Union, Illinois, Sangamon County',
      'US/Union, Illinois, Alexander County',
      'US/Union, Illinois, Alexander County #2',
      'US/Union, Illinois, Alexander County #3',
    ]);
  });

  test('a division that GeoNames does not name goes by its code', () => {
    expect(keysOf([city('A', 'US', 'XX'), city('A', 'US', 'IL')])).toEqual(['US/A, XX', 'US/A, Illinois']);
  });

  test('are unique whatever the data, and the same on every run', () => {
    const word = fc.constantFrom('A', 'B', 'A, Illinois', 'A #2', 'A, Illinois #2', '');
    const record = fc.record({
      name: word,
      country: fc.constantFrom('US', 'FR'),
      admin1: fc.constantFrom('', 'IL', 'MO'),
      admin2: fc.constantFrom('', '003', '167'),
      lat: fc.constant('0'),
      lng: fc.constant('0'),
    });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 40 }), (records) => {
        const keys = keysOf(records);
        expect(new Set(keys).size).toBe(records.length);
        expect(keysOf(records)).toEqual(keys);
      }),
    );
  });
});

describe('files', () => {
  const cities = citiesWithKeys([city('Say "Hi", You', 'US', 'IL', '167')], ADMIN1, ADMIN2);

  test('JSON lines read back as what was written', () => {
    const lines = toJsonLines(cities).trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(cities);
    expect(cities[0]?.value).toEqual({
      name: 'Say "Hi", You',
      country: 'US',
      region: 'Illinois',
      district: 'Sangamon County',
      latitude: 1.5,
      longitude: -2.25,
    });
  });

  test('CSV quotes what needs quoting', () => {
    expect(toCsv(cities)).toBe(
      'key,name,country,region,district,latitude,longitude\n' +
        '"US/Say ""Hi"", You","Say ""Hi"", You",US,Illinois,Sangamon County,1.5,-2.25\n',
    );
  });
});
