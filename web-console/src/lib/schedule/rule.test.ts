import { describe, expect, it } from 'vitest';
import { civilOf, instantOf, monday, read, weekday, written } from './civil';
import { retimed, ruleOf, runs, shifted, spoken, WHOLE_WEEK } from './rule';

describe('a rule and its sentence', () => {
  const start = '2026-02-17T05:30:00'; // a Tuesday
  it.each([
    ['FREQ=DAILY', { rhythm: { kind: 'weekly', days: WHOLE_WEEK, every: 1 }, until: '' }],
    ['FREQ=WEEKLY;BYDAY=MO,WE,SA', { rhythm: { kind: 'weekly', days: [1, 3, 6], every: 1 }, until: '' }],
    ['FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;UNTIL=20261231', { rhythm: { kind: 'weekly', days: [7], every: 2 }, until: '2026-12-31' }],
    ['FREQ=MONTHLY;UNTIL=20261231', { rhythm: { kind: 'monthly' }, until: '2026-12-31' }],
    ['FREQ=MONTHLY;BYDAY=-1FR', { rhythm: { kind: 'own', rule: 'FREQ=MONTHLY;BYDAY=-1FR' }, until: '' }],
    ['FREQ=DAILY;COUNT=3', { rhythm: { kind: 'own', rule: 'FREQ=DAILY;COUNT=3' }, until: '' }],
    ['FREQ=WEEKLY;BYDAY=MO;UNTIL=20261231T100000Z', { rhythm: { kind: 'own', rule: 'FREQ=WEEKLY;BYDAY=MO;UNTIL=20261231T100000Z' }, until: '' }],
    [undefined, { rhythm: { kind: 'once' }, until: '' }]
  ] as const)('%s', (rule, sentence) => {
    expect(spoken(rule, start)).toEqual(sentence);
    expect(ruleOf(sentence as unknown as ReturnType<typeof spoken>)).toBe(rule);
  });
  it('a weekly rule without days is of the day that it begins on', () => expect(spoken('FREQ=WEEKLY', start).rhythm).toEqual({ kind: 'weekly', days: [2], every: 1 }));
  it('days in a row are a range', () => {
    expect(runs([1, 2, 3, 4, 5, 6])).toEqual([[1, 6]]);
    expect(runs([7, 2, 3])).toEqual([[2, 2], [3, 3], [7, 7]]);
  });
});

describe('all occurrences are moved with one', () => {
  const [start, tuesday] = ['2026-02-17T05:30:00', read('2026-02-17T05:30:00')];
  it('to another time', () => expect(shifted('FREQ=DAILY', start, tuesday, read('2026-02-17T06:15:00'))).toEqual({ start: '2026-02-17T06:15:00', rule: 'FREQ=DAILY' }));
  it('to another weekday', () =>
    expect(shifted('FREQ=WEEKLY;BYDAY=TU,SA', start, tuesday, read('2026-02-18T05:30:00'))).toEqual({ start, rule: 'FREQ=WEEKLY;BYDAY=WE,SA' }));
  it('but not to another day where each has its own already', () => {
    expect(shifted('FREQ=DAILY', start, tuesday, read('2026-02-18T05:30:00'))).toBeNull();
    expect(shifted('FREQ=WEEKLY;BYDAY=TU,WE', start, tuesday, read('2026-02-18T05:30:00'))).toBeNull();
    expect(shifted('FREQ=MONTHLY', start, tuesday, read('2026-02-18T05:30:00'))).toBeNull();
  });
  it('what is once goes where it is put', () => expect(shifted(undefined, start, tuesday, read('2026-02-19T17:00:00'))).toEqual({ start: '2026-02-19T17:00:00', rule: undefined }));
  it('exceptions keep their days', () =>
    expect(retimed(['2026-02-18T05:30:00', '2026-02-18T17:00:00'], '05:30', '06:00')).toEqual(['2026-02-18T06:00:00', '2026-02-18T17:00:00']));
});

it('civil time is what the clock on the wall shows', () => {
  const instant = Date.parse('2026-02-17T05:30:00+07:00');
  expect(written(civilOf(instant, 'Asia/Ho_Chi_Minh'))).toBe('2026-02-17T05:30:00');
  expect(instantOf(read('2026-02-17T05:30:00'), 'Asia/Ho_Chi_Minh')).toBe(instant);
  expect([weekday(read('2026-02-16')), weekday(read('2026-02-22'))]).toEqual([1, 7]);
  expect(written(monday(read('2026-02-22T23:59:00')))).toBe('2026-02-16T00:00:00');
});
