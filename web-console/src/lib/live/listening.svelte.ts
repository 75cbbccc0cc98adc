// An open microphone as a page shows it: whether it is there, how loud it is, and what is wrong.
import { FLOOR, Meter, type Verdict } from './level';
import { Microphone, NoMicrophone, type Trouble } from './microphone';

/** The level is shown at every so many frames. */
const SHOWN = 3;

export class Listening {
  state = $state<'off' | 'opening' | 'on'>('off');
  trouble = $state<Trouble | null>(null);
  level = $state(FLOOR);
  /** Nothing until a second was heard. */
  verdict = $state<Verdict | null>(null);
  #microphone: Microphone | undefined;
  /** Which attempt counts: one that was given up meanwhile does not. */
  #attempt = 0;

  /** Opens it; `true` if it is on then. `hear` gets each 20 ms. */
  async start(hear: (frame: Int16Array<ArrayBuffer>) => void): Promise<boolean> {
    this.stop();
    const attempt = this.#attempt;
    [this.state, this.trouble] = ['opening', null];
    const meter = new Meter();
    let heard = 0;
    try {
      const microphone = await Microphone.open(
        (frame) => {
          if (attempt !== this.#attempt) return;
          meter.hear(frame);
          if (++heard % SHOWN === 0) [this.level, this.verdict] = [meter.level, heard < 50 ? null : meter.verdict];
          hear(frame);
        },
        () => attempt === this.#attempt && this.#lose('lost')
      );
      if (attempt !== this.#attempt) {
        microphone.close();
        return false;
      }
      [this.#microphone, this.state] = [microphone, 'on'];
      return true;
    } catch (error) {
      if (attempt === this.#attempt) this.#lose(error instanceof NoMicrophone ? error.trouble : 'failed');
      return false;
    }
  }

  stop() {
    this.#attempt += 1;
    this.#microphone?.close();
    this.#microphone = undefined;
    [this.state, this.level, this.verdict] = ['off', FLOOR, null];
  }

  #lose(why: Trouble) {
    this.stop();
    this.trouble = why;
  }
}
