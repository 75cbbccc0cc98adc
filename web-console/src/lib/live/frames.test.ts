import { describe, expect, it } from 'vitest';
import { FRAME, Framer, RATE } from './frames';
import { FLOOR, Meter } from './level';
import { wav } from './wav';

/** A second of a tone, in the blocks of 128 samples in which it comes. */
function* tone(rate: number, hertz: number) {
  for (let from = 0; from < rate; from += 128) yield Float32Array.from({ length: Math.min(128, rate - from) }, (_, n) => 0.5 * Math.sin(((from + n) / rate) * hertz * 2 * Math.PI));
}

describe.each([RATE, 44_100, 96_000, 16_000])('at %i Hz', (rate) => {
  const framer = new Framer(rate);
  const frames = [...tone(rate, 440)].flatMap((block) => framer.push(block));
  const samples = frames.flatMap((frame) => [...frame]);
  it('a second is 50 frames', () => {
    expect(frames.length).toBeGreaterThanOrEqual(49);
    expect(frames.length).toBeLessThanOrEqual(50);
    expect(frames.every(({ length }) => length === FRAME)).toBe(true);
  });
  it('the tone is the same one', () => {
    // Against the tone itself, wherever it begins: what is left over is the error.
    const part = (shape: (x: number) => number) => samples.reduce((sum, sample, n) => sum + sample * shape((n / RATE) * 440 * 2 * Math.PI), 0) / samples.length;
    const power = samples.reduce((sum, sample) => sum + sample ** 2, 0) / samples.length;
    expect((2 * (part(Math.sin) ** 2 + part(Math.cos) ** 2)) / power).toBeGreaterThan(0.999);
  });
});

it('what is beyond full scale is cut off there', () => {
  const [frame] = new Framer(RATE).push(new Float32Array(FRAME).fill(1.5));
  expect(frame?.[0]).toBe(32_767);
});

describe('a level', () => {
  const after = (...peaks: number[]) => {
    const meter = new Meter();
    for (const peak of peaks) for (let n = 0; n < 50; n++) meter.hear(Int16Array.of(0, -peak, 0));
    return meter;
  };
  it.each([
    ['silent', [0]],
    ['silent', [20]],
    ['low', [700]],
    ['good', [8_000]],
    ['good', [8_000, 10, 10]],
    ['clipping', [32_767, 8_000]],
    ['good', [32_767, 8_000, 8_000]],
    ['silent', [8_000, 0, 0, 0, 0, 0]]
  ] as const)('is %s after peaks of %j', (verdict, peaks) => expect(after(...peaks).verdict).toBe(verdict));
  it('rises at once and falls slowly', () => {
    expect(after(0).level).toBe(FLOOR);
    expect(after(32_767).level).toBeCloseTo(0, 1);
    expect(after(32_767, 0).level).toBeCloseTo(-25, 0);
  });
});

it('a recording is a WAV file of all its frames', async () => {
  const file = wav([new Int16Array(FRAME).fill(1), new Int16Array(FRAME).fill(-2)]);
  const view = new DataView(await file.arrayBuffer());
  expect([view.byteLength, view.getUint32(4, true), view.getUint32(24, true), view.getUint32(40, true)]).toEqual([44 + 4 * FRAME, 36 + 4 * FRAME, RATE, 4 * FRAME]);
  expect([view.getInt16(44, true), view.getInt16(44 + 2 * FRAME, true)]).toEqual([1, -2]);
});
