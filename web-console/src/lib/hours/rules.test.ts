import { describe, expect, it } from 'vitest';
import type { Rules } from '../api/hours';
import { vi } from '../words/more/vi';
import { clockOf, compared, daysIn, formOf, inWords, rulesOfForm } from './rules';

const rules: Rules = {
  hours: [{ days: [1, 2, 3, 4, 5], from: '05:00', to: '21:00' }, { from: '06:00', to: '24:00', volume: 60 }],
  daily_minutes: 30,
  seasons: [{ name: 'Tết', from: '2026-02-16', to: '2026-02-20', yearly: true, hours: [] }]
};

describe('rules', () => {
  it('are said in short sentences', () =>
    expect(inWords(rules, vi.sayings)).toEqual([
      'T2–T6, 05:00–21:00',
      'Hằng ngày, 06:00–24:00, âm lượng đến 60 %',
      'Nhiều nhất 30 phút mỗi ngày',
      'Tết (16/2–20/2 hằng năm): Không được phát lúc nào'
    ]));
  it('come out of the form as they went in, times as people type them', () => {
    expect(rulesOfForm(formOf(rules))).toEqual(rules);
    const form = formOf(rules);
    form.times.hours[0]!.from = ' 5:00';
    expect(rulesOfForm(form)).toEqual(rules);
    expect(rulesOfForm(formOf({}))).toEqual({ seasons: [] });
  });
  it('tell never from at any time', () => {
    expect(inWords({}, vi.sayings)).toEqual([vi.sayings.anyTime]);
    expect(inWords({ hours: [] }, vi.sayings)).toEqual([vi.sayings.never]);
  });
  it('leave a number that is none to the server', () => {
    const form = formOf({});
    form.times.minutes = '1441';
    expect(rulesOfForm(form).daily_minutes).toBe(1441);
    form.times.minutes = 'nhiều';
    expect(rulesOfForm(form).daily_minutes).toBe('nhiều');
  });
});

it('days are named in as few words as they take', () => {
  expect([[], [1, 2, 3, 4, 5, 6, 7], [2, 1], [5, 6, 7], [1, 3, 5]].map((days) => daysIn(days, vi.sayings))).toEqual(['Hằng ngày', 'Hằng ngày', 'T2, T3', 'T6–CN', 'T2, T4, T6']);
});

it('what changes is told from what stays', () => {
  expect(compared(['a', 'b'], ['b', 'c'])).toEqual([
    { text: 'a', change: 'gone' },
    { text: 'b', change: 'same' },
    { text: 'c', change: 'new' }
  ]);
});

it('minutes are a time of the day', () => expect([0, 330, 1440].map(clockOf)).toEqual(['0:00', '5:30', '24:00']));
