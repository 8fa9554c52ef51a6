// The live loop of the page: what changed is sent as soon as the server can take it, the newest only.
//
// At most one request runs and one waits at the server. `taken` frees the waiting place, so a newer
// sketch is always there before the running frame ends.

const STUCK_MS = 30000; // a request nobody answers for this long no longer blocks the next

/** Decides when to send. `capture(id)` makes a request and `send(request)` sends it; both are given. */
export class LiveLoop {
  constructor({ canSend, capture, send, onRunning }) {
    Object.assign(this, { canSend, capture, send, onRunning });
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
    if (this.dirtyAt === null || this.isCapturing || this.#isFull() || !this.canSend()) return;
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

  #isFull() {
    if (this.waiting === null) return false;
    const record = this.sent.get(this.waiting);
    return record !== undefined && performance.now() - record.sentAt < STUCK_MS;
  }

  #tell() {
    this.onRunning(this.isBusy);
  }
}
