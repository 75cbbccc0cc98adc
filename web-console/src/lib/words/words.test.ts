import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { en } from './en';
import { sentence } from './errors';
import { clock, whole } from './locale.svelte';
import { en as fleetEn } from './fleet/en';
import { vi as fleetVi } from './fleet/vi';
import { en as liveEn } from './live/en';
import { vi as liveVi } from './live/vi';
import { en as moreEn } from './more/en';
import { vi as moreVi } from './more/vi';
import { en as scheduleEn } from './schedule/en';
import { vi as scheduleVi } from './schedule/vi';
import { vi } from './vi';

type Tree = { [key: string]: unknown };

/** Every path to a word in a dictionary. */
const keys = (tree: Tree, before = ''): string[] =>
  Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'object' ? keys(value as Tree, `${before}${key}.`) : [`${before}${key}`]
  );

describe.each([
  { name: 'the main page’s', vi: vi as object, en: en as object },
  { name: 'the other pages’', vi: moreVi as object, en: moreEn as object },
  { name: 'of receivers', vi: fleetVi as object, en: fleetEn as object },
  { name: 'of schedules', vi: scheduleVi as object, en: scheduleEn as object },
  { name: 'of speaking live', vi: liveVi as object, en: liveEn as object }
])('the dictionaries: $name', ({ vi, en }) => {
  it('have the same words', () => expect(keys(en as Tree)).toEqual(keys(vi as Tree)));
  it('are composed Unicode (NFC)', () => {
    const all = JSON.stringify([vi, en]);
    expect(all).toBe(all.normalize('NFC'));
  });
  it('leave nothing of the Vietnamese in the English', () => {
    expect(JSON.stringify(en)).not.toMatch(/[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệịỉĩọỏốồổỗộớờởỡợụủũứừửữựỳỵỷỹ]/i);
  });
});

it('every word is said somewhere', () => {
  const folder = new URL('../../', import.meta.url);
  const source = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(svelte|ts)$/.test(name) && !/words\/(fleet\/|live\/|more\/|schedule\/)?(vi|en)\.ts$/.test(name))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))
    .join('\n');
  const said = (object: string, key: string) => new RegExp(`\\b${object}\\.${key}\\b`).test(source);
  const all = [['words', vi], ['more', moreVi], ['say', scheduleVi], ['fleet', fleetVi], ['air', liveVi]] as const;
  const unsaid = all.flatMap(([object, dictionary]) => Object.keys(dictionary).filter((key) => !said(object, key)));
  expect(unsaid).toEqual([]);
});

describe('an error', () => {
  it('is a sentence in the language chosen', () => {
    expect(sentence({ code: 'offline', message: '' }, 'vi')).toContain('máy chủ');
    expect(sentence({ code: 'offline', message: '' }, 'en')).toContain('server');
  });
  it('of an unknown code is what the server said', () => {
    expect(sentence({ code: 'new_code', message: 'what happened' }, 'vi')).toBe('what happened');
  });
});

it('a clock shows hours only when there are any', () => {
  expect([0, 59_999, 60_000, 3_723_000].map(clock)).toEqual(['0:00', '0:59', '1:00', '1:02:03']);
});

it('a length rounds, what has passed of it does not', () => {
  expect(whole(46_680)).toBe('0:47');
  expect(clock(46_680)).toBe('0:46');
});
