import { expect, it } from 'vitest';
import { grantsOf, rowsOf } from './rows';

it('grants become rows and the same grants again', () => {
  const grants = [{ role: 'auditor' }, { role: 'officer', area_id: 'x' }];
  expect(grantsOf(rowsOf(grants))).toEqual(grants);
});

it('a row without an area grants nothing, and the same row twice grants once', () => {
  const officer = { role: 'officer', area: 'x' } as const;
  expect(grantsOf([{ role: 'approver', area: '' }, officer, { ...officer }])).toEqual([{ role: 'officer', area_id: 'x' }]);
});
