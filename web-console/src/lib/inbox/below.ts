// Which areas a bulletin can be sent to: those right below its own. Pure.
import type { Area } from '../api/client';

/** The areas right below `own`; those without one above them if it belongs to none. In the order of their names. */
export function below(areas: Iterable<Area>, own: string | undefined, language: string): Area[] {
  const order = new Intl.Collator(language, { numeric: true });
  return [...areas].filter(({ parent_id }) => parent_id === own).sort((a, b) => order.compare(a.name, b.name));
}
