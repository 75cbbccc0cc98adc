// The way of a voice: clicks into the microphone of a browser that speaks straight to the air, and when each of them came in there.
// Here: that. Not here: when they came out, which whoever runs this reads off the receivers (tests/tests/a_browser_is_heard_within_600_ms.rs).
import { writeFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { vi as air } from '../src/lib/words/live/vi';
import { clicks, speaker } from './browser';
import { everyReceiver, signIn, titled, vi } from './console';
import { env } from './env';

/** In milliseconds; the first click comes so long after the microphone was opened. */
const [LEAD, COUNT, EVERY] = [12_000, 12, 740];
const TITLE = titled('Tiếng gõ');

test.use({ launchOptions: speaker(clicks('test-results/clicks/latency.wav', { lead: LEAD, count: COUNT, every: EVERY, tail: 60_000 }), true) });

type Noted = { clicks: number[]; failed: string };

/**
 * In the page, before it begins: whatever microphone it opens is listened to by another reader as well. A piece of sound is there when its
 * last sample was captured; the piece that came soonest after that tells when the first sample of all was, and so when any other was.
 */
function note() {
  const noted: Noted = { clicks: [], failed: '' };
  Object.assign(window, { noted });
  const { mediaDevices } = navigator;
  const open = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async (wanted) => {
    const stream = await open(wanted);
    void listen(stream.getAudioTracks()[0]!.clone()).catch((error: unknown) => (noted.failed = String(error)));
    return stream;
  };
  async function listen(track: MediaStreamTrack) {
    type Piece = { numberOfFrames: number; sampleRate: number; copyTo: (to: Float32Array, how: object) => void; close: () => void };
    const Processor = (window as unknown as { MediaStreamTrackProcessor: new (of: object) => { readable: ReadableStream<Piece> } }).MediaStreamTrackProcessor;
    const pieces = new Processor({ track, maxBuffer: 100 }).readable.getReader();
    const found: number[] = [];
    let [samples, first, loud, rate] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 48_000];
    for (;;) {
      const { value: piece } = await pieces.read();
      if (piece === undefined) return;
      const at = performance.timeOrigin + performance.now();
      const sound = new Float32Array(piece.numberOfFrames);
      rate = piece.sampleRate;
      piece.copyTo(sound, { planeIndex: 0, format: 'f32-planar' });
      piece.close();
      sound.forEach((sample, n) => {
        // As a click is found where it comes out: loud after a tenth of a second of quiet.
        if (Math.abs(sample) <= 6_000 / 32_768) return;
        if (samples + n - loud > rate / 10) found.push(samples + n);
        loud = samples + n;
      });
      samples += sound.length;
      first = Math.min(first, at - (samples / rate) * 1000);
      noted.clicks = found.map((sample) => first + (sample / rate) * 1000);
    }
  }
}

test('clicks into the microphone, straight to the air', async ({ page }) => {
  await page.addInitScript(note);
  await signIn(page);
  await page.goto('/live/air');
  await page.getByRole('checkbox').first().check();
  await page.getByLabel(air.titleLabel).fill(TITLE);
  await page.getByLabel(air.chime).uncheck();
  await page.getByRole('button', { name: air.toReview }).click();
  await page.getByRole('button', { name: air.goLive(everyReceiver) }).click();
  const desk = page.locator('[data-phase]');
  await expect(desk).toHaveAttribute('data-phase', 'on_air');
  await expect(desk.getByText(vi.reallyPlaying(env.online, everyReceiver))).toBeVisible();
  const noted = () => page.evaluate(() => (window as unknown as { noted: Noted }).noted);
  expect(await noted(), 'on the air before the first click').toEqual({ clicks: [], failed: '' });
  await expect.poll(async () => (await noted()).clicks.length, { timeout: LEAD + COUNT * EVERY + 10_000 }).toBe(COUNT);
  // What was said last is still on its way when it is ended, and sounds.
  await desk.getByRole('button', { name: vi.stop, exact: true }).click();
  await expect(page.locator('[data-ending="here"]')).toBeVisible();
  await expect(page.getByText(vi.result(env.online, everyReceiver))).toBeVisible();
  writeFileSync(env.clicks ?? '', JSON.stringify((await noted()).clicks));
});
