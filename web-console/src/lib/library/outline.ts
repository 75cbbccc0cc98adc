// A sound's outline as the path of a drawing. Pure.

/** Bars of a drawing `width` wide and `height` high, as an SVG path; `peaks` (0 to 255) are thinned out to at most one bar a unit, by their largest. */
export function outline(peaks: readonly number[], width: number, height: number): string {
  if (peaks.length === 0) return '';
  const bars = Math.min(width, peaks.length);
  const middle = height / 2;
  let path = '';
  for (let bar = 0; bar < bars; bar++) {
    const from = Math.floor((bar * peaks.length) / bars);
    const to = Math.max(from + 1, Math.floor(((bar + 1) * peaks.length) / bars));
    // Silence is a line, not nothing.
    const half = Math.max(0.5, (Math.max(...peaks.slice(from, to)) / 255) * middle);
    const x = ((bar + 0.5) * width) / bars;
    path += `M${round(x)} ${round(middle - half)}V${round(middle + half)}`;
  }
  return path;
}

const round = (value: number) => Math.round(value * 10) / 10;

/** Tags as people write them in one field: separated by commas, each once. */
export function tagsOf(text: string): string[] {
  const tags = text.split(',').map((tag) => tag.trim().normalize('NFC'));
  return [...new Set(tags.filter((tag) => tag !== ''))];
}
