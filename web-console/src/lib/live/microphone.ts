// The microphone of this device: opened for who asks, its sound in frames, and in a word why there is none.
// Not here: what becomes of the sound.
import captureUrl from './capture.worklet.ts?worker&url';
import { RATE } from './frames';

/** `insecure`: browsers give it to https and localhost only; `lost`: it was there and is gone. */
export type Trouble = 'insecure' | 'denied' | 'none' | 'busy' | 'lost' | 'failed';

export class NoMicrophone extends Error {
  constructor(readonly trouble: Trouble) {
    super(trouble);
  }
}

// One voice into a street: noise is taken off and a quiet voice raised. Nothing of what sounds outside comes back out of this device, and
// to take an echo off that is none makes a voice worse.
const VOICE: MediaTrackConstraints = { channelCount: 1, echoCancellation: false, noiseSuppression: true, autoGainControl: true };

const troubles: Record<string, Trouble> = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'none',
  OverconstrainedError: 'none',
  NotReadableError: 'busy',
  AbortError: 'busy'
};
const troubleOf = (error: unknown): Trouble => (error instanceof DOMException && troubles[error.name]) || 'failed';

export class Microphone {
  private constructor(
    private readonly stream: MediaStream,
    private readonly context: AudioContext
  ) {}

  /** Opens it; `hear` gets each 20 ms, `lost` is told once when it is gone. Throws `NoMicrophone`. */
  static async open(hear: (frame: Int16Array<ArrayBuffer>) => void, lost: () => void): Promise<Microphone> {
    if (!window.isSecureContext || !('mediaDevices' in navigator)) throw new NoMicrophone('insecure');
    let stream: MediaStream | undefined;
    let context: AudioContext | undefined;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: VOICE });
      const [running, node] = await connect(stream);
      context = running;
      node.port.onmessage = ({ data }: MessageEvent<Int16Array<ArrayBuffer>>) => hear(data);
      stream.getAudioTracks()[0]?.addEventListener('ended', lost);
      return new Microphone(stream, context);
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      throw new NoMicrophone(troubleOf(error));
    }
  }

  close() {
    this.stream.getTracks().forEach((track) => track.stop());
    void this.context.close();
  }
}

async function connect(stream: MediaStream): Promise<[AudioContext, AudioWorkletNode]> {
  // The browser resamples, where it can; Firefox cannot, and the worklet does it.
  for (const options of [{ sampleRate: RATE, latencyHint: 'interactive' }, { latencyHint: 'interactive' }] as AudioContextOptions[]) {
    const context = new AudioContext(options);
    try {
      const source = context.createMediaStreamSource(stream);
      await context.audioWorklet.addModule(captureUrl);
      const node = new AudioWorkletNode(context, 'capture', { numberOfOutputs: 0, channelCount: 1, channelCountMode: 'explicit' });
      source.connect(node);
      await context.resume();
      return [context, node];
    } catch (error) {
      void context.close();
      if (options.sampleRate === undefined) throw error;
    }
  }
  throw new NoMicrophone('failed');
}
