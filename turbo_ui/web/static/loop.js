// The live loop of the page: what changed is sent as soon as the server can take it, the newest only.
//
// At most one request runs and one waits at the server. `taken` frees the waiting place, so a newer
// sketch is always there before the running frame ends. Where the wait is long, because the model is slow
// or others draw too, the waiting request is replaced now and then: it never grows old.

const REPLACE_AFTER_MS = 150;
const STUCK_MS = 30000; // without a lane nothing can be replaced: only what nobody answers
const MAX_KEPT = 32; // records of replaced requests, whose answer may have been left out

/** Decides when to send. `capture(id)` makes a request and `send(request)` sends it; both are given. */
export class LiveLoop {
  constructor({ canSend, canReplace, capture, send, onTouch, onRunning }) {
    Object.assign(this, { canSend, canReplace, capture, send, onTouch, onRunning });
    this.nextId = 1;
    this.dirtyAt = null;
    this.isCapturing = false;
    this.waiting = null;
    this.running = null;
    this.sent = new Map();
  }

  /** Something that affects the picture changed at `eventTime`. */
  touch(eventTime = performance.now()) {
    this.dirtyAt = eventTime;
    this.onTouch();
    this.#schedule();
  }

  /** The server took a request: the waiting place is free. */
  taken(requestId) {
    if (this.waiting === requestId) this.waiting = null;
    this.running = requestId;
    this.#schedule();
  }

  /** A request has its last answer: a picture, an error, or a newer one in its place. */
  finished(requestId) {
    const record = this.sent.get(requestId) ?? null;
    this.sent.delete(requestId);
    if (this.waiting === requestId) this.waiting = null;
    if (this.running === requestId) this.running = null;
    this.#schedule();
    this.#tell();
    return record;
  }

  /** A number for a request that is no frame of the loop. */
  takeId() {
    return this.nextId++;
  }

  recordOf(requestId) {
    return this.sent.get(requestId) ?? null;
  }

  /** The connection is new: nothing sent before will be answered. */
  reset() {
    this.waiting = this.running = null;
    this.sent.clear();
    this.#tell();
  }

  get isBusy() {
    return this.waiting !== null || this.running !== null || this.isCapturing;
  }

  /** Everything that changed has been sent and answered. */
  get isAtRest() {
    return !this.isBusy && this.dirtyAt === null;
  }

  #schedule() {
    if (this.dirtyAt === null || this.scheduled) return;
    const next = document.hidden ? (run) => setTimeout(run, 16) : requestAnimationFrame;
    this.scheduled = true;
    next(() => {
      this.scheduled = false;
      this.#sendNewest();
    });
  }

  async #sendNewest() {
    if (this.dirtyAt === null || this.isCapturing || !this.canSend()) return;
    const fullMs = this.#fullForMs();
    if (fullMs > 0) {
      clearTimeout(this.looking);
      this.looking = setTimeout(() => this.#schedule(), fullMs);
      return;
    }
    const requestId = this.nextId++;
    const eventAt = this.dirtyAt;
    this.dirtyAt = null;
    this.isCapturing = true;
    this.#tell();
    try {
      const request = await this.capture(requestId);
      const record = { requestId, eventAt, ...request.record, sentAt: performance.now() };
      if (this.canSend() && this.send(request, record)) {
        this.waiting = requestId;
        this.sent.set(requestId, record);
        if (this.sent.size > MAX_KEPT) this.sent.delete(this.sent.keys().next().value);
      } else {
        this.dirtyAt ??= eventAt;
      }
    } catch (error) {
      console.error("the sketch could not be captured", error);
    } finally {
      this.isCapturing = false;
      this.#schedule();
      this.#tell();
    }
  }

  /** For how long still the waiting place is not to be had, unless an answer frees it before. */
  #fullForMs() {
    const record = this.waiting === null ? undefined : this.sent.get(this.waiting);
    if (record === undefined) return 0;
    const keepMs = this.canReplace() ? REPLACE_AFTER_MS : STUCK_MS;
    return record.sentAt + keepMs - performance.now();
  }

  #tell() {
    this.onRunning(this.isBusy);
  }
}
