import { expect, it } from 'vitest';
import { found } from './found';

it('an area goes by its old names and codes as by its new ones, with and without marks', () => {
  const area = { name: 'Xã Tân Lập Mới', code: '09100', former: [{ name: 'Xã Đông Hồ', code: '09001', until: '2026-07-01T00:00:00Z' }] };
  for (const wanted of ['tân lập', 'TAN LAP', 'dong ho', 'Đông Hồ', '09001', '091', '']) expect(found(area, wanted), wanted).toBe(true);
  for (const wanted of ['Tân Hoà', '0902']) expect(found(area, wanted), wanted).toBe(false);
});
