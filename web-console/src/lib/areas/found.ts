// Whether an area goes by what somebody looks for: its name or code, or one that it had, marks or not. Pure.
import type { Area } from '../api/client';
import { named } from '../fleet/state';

export function found({ name, code, former }: Pick<Area, 'name' | 'code' | 'former'>, wanted: string): boolean {
  return [{ name, code }, ...former].some((one) => named(one.name, wanted) || named(one.code ?? '', wanted));
}
