// Record, listen, then air: what was recorded, kept while one looks at another page until it has become a bulletin.
import { FRAME, RATE } from './frames';
import { Listening } from './listening.svelte';
import { wav } from './wav';

/** The longest recording, in milliseconds: 170 MB until it is sent. */
export const LONGEST = 30 * 60_000;
const MS = (FRAME / RATE) * 1000;

class Recording {
  readonly listening = new Listening();
  /** What was recorded; null while there is nothing, or it still goes on. */
  file = $state.raw<File | null>(null);
  /** Where a player finds it. */
  url = $state('');
  /** How long it is so far. */
  ms = $state(0);
  #frames: Int16Array<ArrayBuffer>[] = [];

  get running(): boolean {
    return this.listening.state === 'on';
  }

  async start() {
    this.clear();
    await this.listening.start((frame) => {
      this.#frames.push(frame);
      this.ms = this.#frames.length * MS;
      if (this.ms >= LONGEST) this.stop();
    });
  }

  /** Also when the microphone went away: what came before is kept. */
  stop() {
    this.listening.stop();
    if (this.#frames.length === 0) return;
    this.file = new File([wav(this.#frames)], 'thu-truc-tiep.wav', { type: 'audio/wav' });
    this.url = URL.createObjectURL(this.file);
    this.#frames = [];
  }

  clear() {
    this.listening.stop();
    if (this.url !== '') URL.revokeObjectURL(this.url);
    [this.file, this.url, this.ms, this.#frames] = [null, '', 0, []];
  }
}

export const recording = new Recording();
