// In the audio thread: what the microphone brings, in frames, to the page. Not here: what becomes of them.
import { Framer } from './frames';

// What TypeScript does not know of this thread.
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

class Capture extends AudioWorkletProcessor {
  readonly #framer = new Framer(sampleRate);

  /** 128 samples at a time; without a channel while nothing is plugged in. */
  process([input]: Float32Array[][]): boolean {
    const channel = input?.[0];
    if (channel !== undefined) for (const frame of this.#framer.push(channel)) this.port.postMessage(frame, [frame.buffer]);
    return true;
  }
}

registerProcessor('capture', Capture);
