// A playlist while it is being put together: order, and how long it will be. Pure. Not here: what sounds in the end (the server says).
export type Lasting = { duration_ms: number; dropped?: string };
export type Joined = { opening?: Lasting | undefined; parts: readonly Lasting[]; closing?: Lasting | undefined; gap_ms: number; take?: number | undefined };

/** The list with what is at `from` put to `to`. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const rest = list.toSpliced(from, 1);
  const one = list[from];
  return one === undefined ? rest : rest.toSpliced(to, 0, one);
}

/** How many turns there are until all parts have sounded: one unless some sound at a time. */
export function turns({ parts, take }: Joined): number {
  const left = parts.filter(({ dropped }) => dropped === undefined).length;
  return left === 0 ? 0 : Math.ceil(left / Math.min(take ?? left, left));
}

/** How long the longest turn is, in milliseconds, jingles and gaps included; what has dropped out does not count. */
export function total(list: Joined): number {
  const left = list.parts.filter(({ dropped }) => dropped === undefined);
  const share = Math.min(list.take ?? left.length, left.length);
  const jingles = [list.opening, list.closing].filter((one) => one !== undefined && one.dropped === undefined) as Lasting[];
  const around = jingles.reduce((sum, { duration_ms }) => sum + duration_ms, 0) + Math.max(0, share + jingles.length - 1) * list.gap_ms;
  let longest = 0;
  for (let turn = 0; turn < turns(list); turn++) {
    let sum = around;
    // The last turn is filled up from the front.
    for (let at = turn * share; at < (turn + 1) * share; at++) sum += left[at % left.length]?.duration_ms ?? 0;
    longest = Math.max(longest, sum);
  }
  return longest;
}

/** The place in a list that a pointer at height `y` means, by where the rows begin and end. */
export function placeAt(rows: readonly { top: number; bottom: number }[], y: number): number {
  const below = rows.findIndex(({ bottom }) => y < bottom);
  return below === -1 ? rows.length - 1 : below;
}

/** Seconds as people type them, in whole milliseconds. */
export const millis = (seconds: number | undefined) => Math.round((seconds ?? 0) * 1000);
