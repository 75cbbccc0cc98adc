// The microphone's samples as the server takes them: 48 kHz, 16 bit, 20 ms at a time. Pure; it runs in the audio thread.

/** What the server takes, in samples a second, and how many of them are a frame. */
export const RATE = 48_000;
export const FRAME = 960;

/** Cubic Hermite between `b` and `c`: enough for speech where a browser refuses to run at 48 kHz, which few do. */
function between(a: number, b: number, c: number, d: number, part: number): number {
  const [slope, next] = [(c - a) / 2, (d - b) / 2];
  const [square, cube] = [3 * (c - b) - 2 * slope - next, 2 * (b - c) + slope + next];
  return b + part * (slope + part * (square + part * cube));
}

export class Framer {
  #frame = new Int16Array(FRAME);
  #filled = 0;
  /** The last four samples that came, and where in time the next one to give lies after the second of them. */
  #last: [number, number, number, number] = [0, 0, 0, 0];
  #next = 0;
  readonly #step: number;

  constructor(rate: number) {
    this.#step = rate / RATE;
  }

  /** Takes samples of full scale 1; gives the frames that they fill. */
  push(samples: Float32Array): Int16Array<ArrayBuffer>[] {
    const full: Int16Array<ArrayBuffer>[] = [];
    for (const sample of samples) {
      if (this.#step === 1) {
        this.#put(sample, full);
        continue;
      }
      this.#last = [this.#last[1], this.#last[2], this.#last[3], sample];
      for (; this.#next < 1; this.#next += this.#step) this.#put(between(...this.#last, this.#next), full);
      this.#next -= 1;
    }
    return full;
  }

  #put(sample: number, full: Int16Array<ArrayBuffer>[]) {
    this.#frame[this.#filled++] = Math.round(Math.max(-1, Math.min(1, sample)) * 32_767);
    if (this.#filled < FRAME) return;
    full.push(this.#frame);
    [this.#frame, this.#filled] = [new Int16Array(FRAME), 0];
  }
}
