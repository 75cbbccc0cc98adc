// Which language and appearance this browser shows, remembered for the next visit.
// Not here: the words (vi.ts, en.ts).
import { vi, type Words } from './vi';

export type Language = 'vi' | 'en';
export type Theme = 'auto' | 'light' | 'dark';

function remembered<T extends string>(key: string, allowed: readonly T[], otherwise: T): T {
  try {
    const value = localStorage.getItem(key) as T | null;
    return value !== null && allowed.includes(value) ? value : otherwise;
  } catch {
    return otherwise; // storage may be forbidden: the console works without a memory
  }
}

function remember(key: string, value: string) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // as above
  }
}

class Locale {
  language = $state<Language>(remembered('loa.language', ['vi', 'en'], 'vi'));
  theme = $state<Theme>(remembered('loa.theme', ['auto', 'light', 'dark'], 'auto'));
  /** English comes when it is asked for: most never do, and their line is slow. */
  #english = $state.raw<Words | null>(null);
  /** The language of the words that are shown: the one chosen, once it is there. */
  readonly shown: Language = $derived(this.language === 'en' && this.#english !== null ? 'en' : 'vi');
  readonly words: Words = $derived(this.shown === 'en' && this.#english !== null ? this.#english : vi);

  /** Fetches the words of the language chosen; without a server Vietnamese stays. */
  async fetch() {
    if (this.language === 'en' && this.#english === null) this.#english = await import('./en').then(({ en }) => en, () => null);
  }

  /** Puts language and appearance on the document; called once by the layout, inside an effect. */
  apply() {
    void this.fetch();
    document.documentElement.lang = this.shown;
    if (this.theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.theme;
    remember('loa.language', this.language);
    remember('loa.theme', this.theme);
  }

  /** Clock time with seconds where a moment matters: 5:30:07. */
  time(at: Date, seconds = false): string {
    return at.toLocaleTimeString(this.shown === 'vi' ? 'vi-VN' : 'en-GB', {
      hour: 'numeric',
      minute: '2-digit',
      ...(seconds ? { second: '2-digit' } : {})
    });
  }

  /** A moment as people say it: only the time today, else day and month too. */
  moment(at: Date, now: Date): string {
    const time = this.time(at);
    if (at.toDateString() === now.toDateString()) return time;
    const year = at.getFullYear() === now.getFullYear() ? '' : `/${at.getFullYear()}`;
    return `${time}, ${at.getDate()}/${at.getMonth() + 1}${year}`;
  }

  /** A moment in full, to the second: as a record says it. */
  dateTime(at: Date): string {
    return `${this.time(at, true)}, ${at.getDate()}/${at.getMonth() + 1}/${at.getFullYear()}`;
  }

  /** A number with at most `digits` decimals. */
  number(value: number, digits: number): string {
    return value.toLocaleString(this.shown === 'vi' ? 'vi-VN' : 'en-GB', { maximumFractionDigits: digits });
  }

  /** A length in words, whole seconds. */
  length(milliseconds: number): string {
    const whole = Math.round(milliseconds / 1000);
    return this.words.duration(Math.floor(whole / 60), whole % 60);
  }
}

/** A length as a clock shows it: 3:07, or 1:02:03. */
export function clock(milliseconds: number): string {
  const whole = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A length rounded to the second, as `length` says it: what was played of it is not, or it would seem whole too early. */
export const whole = (milliseconds: number) => clock(Math.round(milliseconds / 1000) * 1000);

export const locale = new Locale();
