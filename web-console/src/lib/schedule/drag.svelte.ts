// An occurrence that is dragged over the week: where it would begin. Only where and when; how long it is, its bulletin says, so
// there is nothing to resize. Not here: what comes of it (a form asks, which is also the way without a mouse).
import { DAY, MINUTE, midnight } from './civil';
import type { Occurrence } from './week';

/** Times snap to this many minutes. */
const STEP = 5;
/** So far a press may wander and still be one. */
const SLACK = 6;

export class Drag {
  /** What is dragged, and where it would begin. */
  ghost = $state.raw<{ it: Occurrence; start: number } | null>(null);
  #from: { x: number; y: number; it: Occurrence } | null = null;
  #wasDragged = false;

  /** `columns`: the days, from `monday` on, an hour being `hour` pixels high. */
  constructor(
    private readonly ground: () => { columns: (HTMLElement | undefined)[]; monday: number; hour: number },
    private readonly dropped: (it: Occurrence, start: number) => void
  ) {}

  begin(event: PointerEvent, it: Occurrence) {
    this.#wasDragged = false;
    // A finger scrolls.
    if (event.button !== 0 || event.pointerType === 'touch') return;
    this.#from = { x: event.clientX, y: event.clientY + scrollY, it };
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
  }

  move(event: PointerEvent) {
    if (this.#from === null) return;
    const { x, y, it } = this.#from;
    const down = event.clientY + scrollY - y;
    if (this.ghost === null && Math.hypot(event.clientX - x, down) < SLACK) return;
    const { columns, monday, hour } = this.ground();
    const found = columns.findIndex((column) => {
      const { left, right } = column?.getBoundingClientRect() ?? { left: 0, right: 0 };
      return left <= event.clientX && event.clientX < right;
    });
    const day = found < 0 ? midnight(it.start) : monday + found * DAY;
    const minute = (it.start - midnight(it.start)) / MINUTE + (down / hour) * 60;
    this.ghost = { it, start: day + Math.max(0, Math.min(24 * 60 - STEP, Math.round(minute / STEP) * STEP)) * MINUTE };
  }

  end() {
    const { ghost } = this;
    this.#wasDragged = ghost !== null;
    this.cancel();
    if (ghost !== null && ghost.start !== ghost.it.start) this.dropped(ghost.it, ghost.start);
  }

  cancel() {
    [this.#from, this.ghost] = [null, null];
  }

  /** Whether the click that follows is the end of a drag, and no press. */
  swallows(): boolean {
    const was = this.#wasDragged;
    this.#wasDragged = false;
    return was;
  }
}
