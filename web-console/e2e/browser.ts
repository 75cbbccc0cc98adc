// The browser that the stories run in; and one in which somebody speaks: what its microphone hears is a file of clicks.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

// Debian's Chromium when there is one: nothing is downloaded. Otherwise the one of `npx playwright install chromium`.
const debian = '/usr/bin/chromium';
const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--autoplay-policy=document-user-activation-required'];

export const launchOptions = { ...(existsSync(debian) ? { executablePath: debian } : {}), args };

/** With these flags more. */
export const launchedWith = (...more: string[]) => ({ ...launchOptions, args: [...args, ...more] });

/** A microphone that hears this WAV file, once or over and over, and whose use is allowed. */
export const speaker = (file: string, once = false) =>
  launchedWith('--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${file}${once ? '%noloop' : ''}`);

export type Clicks = { lead: number; count: number; every: number; tail: number };

/** Writes a WAV file of clicks, 5 ms of 2 kHz each; times in milliseconds. */
export function clicks(file: string, { lead, count, every, tail }: Clicks): string {
  const rate = 48_000;
  const samples = new Int16Array(((lead + count * every + tail) * rate) / 1000);
  for (let n = 0; n < count; n++) {
    const from = ((lead + n * every) * rate) / 1000;
    for (let k = 0; k < 240; k++) samples[from + k] = Math.sin((k / rate) * 2000 * 2 * Math.PI) * 25_000;
  }
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.byteLength, 40);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, Buffer.concat([head, Buffer.from(samples.buffer)]));
  return file;
}
