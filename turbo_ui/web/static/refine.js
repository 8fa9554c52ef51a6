// Draft and refine: when the hand rests, one picture of a slower model takes the draft's place.

/** The choice to refine with no model at all. */
export const NO_MODEL = "none";

/**
 * Decides when a refine is due and which of its answers still count.
 *
 * `isAllowed()`: a model is chosen, it can draw, and the draft on the display is of the board as it is.
 * `isAutomatic()`: nobody has to press a button. `submit()` sends the request and resolves to its number,
 * or to null. `onState({ state, step, steps })` is told "draft", "refining" or "refined".
 */
export class Refiner {
  constructor({ isAllowed, isAutomatic, submit, onState }) {
    Object.assign(this, { isAllowed, isAutomatic, submit, onState });
    this.settleMs = 500;
    this.touchedAt = 0;
    this.turn = 0; // grows with each input: what was begun before it is stale
    this.id = null;
    this.isBegun = false;
    this.now = { state: "draft", step: 0, steps: 0 };
  }

  get state() {
    return this.now.state;
  }

  /** Something that affects the picture changed: whatever is being refined shows an old board. */
  touched() {
    this.touchedAt = performance.now();
    this.again();
  }

  /** Looks whether a refine is due, now or when the hand has rested long enough. */
  look() {
    clearTimeout(this.timer);
    if (this.state !== "draft" || this.isBegun || !this.isAutomatic() || !this.isAllowed()) return;
    const restMs = performance.now() - this.touchedAt;
    if (restMs >= this.settleMs) this.begin();
    else this.timer = setTimeout(() => this.look(), this.settleMs - restMs);
  }

  /** Refines what is on the board now, rested or not. */
  async begin() {
    clearTimeout(this.timer);
    const { turn } = this;
    this.isBegun = true;
    let id = null;
    try {
      id = await this.submit();
    } catch (error) {
      console.error("the refine could not be asked for", error);
    } finally {
      this.isBegun = false;
    }
    if (turn !== this.turn) this.look();
    else if (id !== null) {
      this.id = id;
      this.#tell("refining");
    }
  }

  /** Another model, or none: what runs is not wanted any more, and a new one may be due. */
  again() {
    this.turn += 1;
    this.id = null;
    if (this.state !== "draft") this.#tell("draft");
    this.look();
  }

  /** The model can be had again: what failed without it is worth another try. */
  revive() {
    if (this.state === "failed") this.again();
    else this.look();
  }

  /** An answer of the server to a refine; true where its picture is to be shown. */
  receive({ kind, request_id: id, step = 0, num_denoising_steps: steps = 0 }) {
    if (id !== this.id) return false;
    if (kind === "preview") this.#tell("refining", step, steps);
    else if (kind === "refine") this.#tell("refined");
    else if (kind === "superseded" || kind === "error") this.#fail();
    return kind === "preview" || kind === "refine";
  }

  get isRefining() {
    return this.state === "refining";
  }

  #fail() {
    // not tried again by itself: the same request would fail the same way
    this.id = null;
    this.#tell("failed");
  }

  #tell(state, step = 0, steps = 0) {
    this.now = { state, step, steps };
    this.onState(this.now);
  }
}
