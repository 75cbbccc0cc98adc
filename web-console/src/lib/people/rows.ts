// Grants as rows of a form, and back. Pure.
import { EVERYWHERE } from '../fleet/everywhere';
import { ROLES, type Grant, type Role } from './rights';

/** A row: an area's identifier, `EVERYWHERE`, or empty while none was chosen. */
export type Row = { role: Role; area: string };

/** Rows for what was granted; roles that this console does not know have none. */
export const rowsOf = (grants: readonly Grant[]): Row[] =>
  grants.flatMap(({ role, area_id }) => ((ROLES as readonly string[]).includes(role) ? [{ role: role as Role, area: area_id ?? EVERYWHERE }] : []));

/** What the rows grant, each once. */
export function grantsOf(rows: readonly Row[]): Grant[] {
  const once = new Map(rows.filter(({ area }) => area !== '').map((row) => [`${row.role} ${row.area}`, row]));
  return [...once.values()].map(({ role, area }) => (area === EVERYWHERE ? { role } : { role, area_id: area }));
}
