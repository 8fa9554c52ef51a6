// Keeps the page's state on its shelf: soon after each change, and at once when the page is left.

const SAVE_AFTER_MS = 200;

/**
 * `state(withHistory)` gives what is to be kept, as JSON-ready data; while `isDrawing()` nothing is written, as that
 * takes longer than a display frame on a full board; `onFull()` is told when it does not fit.
 */
export class Keeping {
  constructor(shelf, state, isDrawing, onFull) {
    Object.assign(this, { shelf, state, isDrawing, onFull });
    this.isUnsaved = false;
    addEventListener("pagehide", () => this.now());
    document.addEventListener("visibilitychange", () => document.hidden && this.now());
  }

  soon() {
    this.isUnsaved = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.isDrawing() ? this.soon() : this.now()), SAVE_AFTER_MS);
  }

  now() {
    if (!this.isUnsaved) return;
    this.isUnsaved = !this.shelf.save(this.state(true), () => this.state(false));
    if (this.isUnsaved) this.onFull();
  }
}
