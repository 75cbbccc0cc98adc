// How loud somebody speaks, and whether that will do. Pure: frames of 20 ms in, a level and a verdict out.

export type Verdict = 'good' | 'low' | 'clipping' | 'silent';

/** The quietest that is shown, in decibels of full scale. */
export const FLOOR = -60;
/** A voice whose loudest is under this is hard to hear in a street; under that there is none. */
const LOW = -24;
const SILENT = -52;
/** What is at full scale is cut off there. */
const FULL = 32_600;
/** Frames that are looked back at: long enough for a breath between two sentences, and for who clipped to see it. */
const LOOK = 250;
const CLIPPED = 100;
/** How fast the level falls back, in decibels a frame. */
const FALL = 0.5;

const decibels = (peak: number): number => (peak === 0 ? FLOOR : Math.max(FLOOR, 20 * Math.log10(peak / 32_768)));

export class Meter {
  #peaks: number[] = [];
  #level = FLOOR;

  hear(frame: Int16Array) {
    let peak = 0;
    for (const sample of frame) peak = Math.max(peak, Math.abs(sample));
    this.#peaks.push(peak);
    if (this.#peaks.length > LOOK) this.#peaks.shift();
    this.#level = Math.max(decibels(peak), this.#level - FALL);
  }

  /** In decibels of full scale, at least `FLOOR`. */
  get level(): number {
    return this.#level;
  }

  get verdict(): Verdict {
    const most = decibels(this.#peaks.reduce((most, peak) => Math.max(most, peak), 0));
    if (this.#peaks.slice(-CLIPPED).some((peak) => peak >= FULL)) return 'clipping';
    return most < SILENT ? 'silent' : most < LOW ? 'low' : 'good';
  }
}
