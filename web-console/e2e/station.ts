// Another station, to be relayed: an MP3 file over and over, as fast as it sounds, until it falls silent and comes back.
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Bytes a second of a 64 kbit/s file, and how often some are sent, in milliseconds. */
const RATE = 8_000;
const TICK = 100;

export async function station(mp3: string) {
  const sound = readFileSync(mp3);
  const listeners = new Set<ServerResponse>();
  let on = true;
  let at = 0;
  const server = createServer((_, answer) => {
    if (!on) return void answer.writeHead(404).end();
    answer.writeHead(200, { 'content-type': 'audio/mpeg' });
    answer.write(sound.subarray(0, RATE));
    listeners.add(answer);
    answer.on('close', () => listeners.delete(answer));
  });
  const timer = setInterval(() => {
    const part = sound.subarray(at, at + (RATE * TICK) / 1000);
    at = at + part.length >= sound.length ? 0 : at + part.length;
    for (const one of listeners) one.write(part);
  }, TICK);
  await new Promise<void>((go) => server.listen(0, '127.0.0.1', go));
  const hangUp = () => listeners.forEach((one) => one.destroy());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/radio.mp3`,
    /** It is gone, or there again. */
    set on(now: boolean) {
      on = now;
      if (!now) hangUp();
    },
    close() {
      clearInterval(timer);
      hangUp();
      server.close();
    }
  };
}
