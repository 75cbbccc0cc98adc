import { expect, it } from 'vitest';
import { spotOf, written } from './spot';

it('is two numbers, however they are put', () => {
  for (const text of ['21.0285, 105.8042', ' 21.0285 105.8042 ', '(21.0285; 105.8042)', '21.0285°, 105.8042°']) expect(spotOf(text), text).toEqual([21.0285, 105.8042]);
  expect(spotOf('-8.5,105')).toEqual([-8.5, 105]);
  for (const text of ['', '21', 'nhà văn hóa', '91, 105', '21, 181', '21,5, 105']) expect(spotOf(text), text).toBeUndefined();
  expect(written([21.02850001, 105.8])).toBe('21.02850, 105.80000');
});
