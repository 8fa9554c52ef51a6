// The live loop of the page: what changed is sent as soon as the server can take it, the newest only.
//
// At most one request runs and one waits at the server. `taken` frees the waiting place. The next sketch is
// taken as late as it can be and still be there before the running frame ends: so it is the newest there can
// be, and the device is never idle. Where the wait is long all the same, because others draw too, the waiting
// request is replaced now and then: it never grows old.

const REPLACE_AFTER_MS = 150;
const STUCK_MS = 30000; // without a lane nothing can be replaced: only what nobody answers
const NUM_LEARNT = 8; // frames from which it is known how long one runs and how long a sketch travels
const MARGIN_MS = 4; // to be early costs freshness, to be late costs frames
const AGAIN_MS = 50; // before what could not be sent is tried again
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
    this.runningSince = 0;
    this.sent = new Map();
    this.learnt = [];
    this.pausedUntil = 0;
  }

  /** Something that affects the picture changed at `eventTime`. */
  touch(eventTime = performance.now()) {
    this.dirtyAt = Math.max(this.dirtyAt ?? 0, eventTime);
    this.onTouch();
    this.#schedule();
  }

  /** The server took a request: the waiting place is free. */
  taken(requestId) {
    if (this.waiting === requestId) this.waiting = null;
    this.running = requestId;
    this.runningSince = performance.now();
    this.#schedule();
  }

  /** How long a frame ran on the device, and how long its sketch took from the board to the server, in ms. */
  learn(runMs, travelMs) {
    this.learnt = [...this.learnt.slice(1 - NUM_LEARNT), { runMs, travelMs }];
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
    this.scheduled = true;
    // one sending for all that one event changes; not with the next display frame, which is up to 17 ms later
    queueMicrotask(() => {
      this.scheduled = false;
      this.#sendNewest();
    });
  }

  async #sendNewest() {
    if (this.dirtyAt === null || this.isCapturing || !this.canSend()) return;
    clearTimeout(this.looking);
    const waitMs = Math.max(this.#fullForMs(), this.#earlyByMs(), this.pausedUntil - performance.now());
    if (waitMs > 0) {
      this.looking = setTimeout(() => this.#sendNewest(), waitMs);
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
      if (this.canSend() && (await this.send(request, record))) {
        this.waiting = requestId;
        this.sent.set(requestId, record);
        if (this.sent.size > MAX_KEPT) this.sent.delete(this.sent.keys().next().value);
      } else this.#keepForLater(eventAt);
    } catch (error) {
      console.error("the sketch could not be captured", error);
      this.#keepForLater(eventAt);
    } finally {
      this.isCapturing = false;
      this.#schedule();
      this.#tell();
    }
  }

  #keepForLater(eventAt) {
    this.dirtyAt ??= eventAt;
    this.pausedUntil = performance.now() + AGAIN_MS;
  }

  /** For how long still the waiting place is not to be had, unless an answer frees it before. */
  #fullForMs() {
    const record = this.waiting === null ? undefined : this.sent.get(this.waiting);
    if (record === undefined) return 0;
    const keepMs = this.canReplace() ? REPLACE_AFTER_MS : STUCK_MS;
    return record.sentAt + keepMs - performance.now();
  }

  /** For how long still a sketch would only wait behind the running frame, going by the last ones. */
  #earlyByMs() {
    if (this.running === null || !this.learnt.length) return 0;
    const runMs = Math.min(...this.learnt.map((each) => each.runMs));
    const travelMs = Math.max(...this.learnt.map((each) => each.travelMs));
    return this.runningSince + runMs - travelMs - MARGIN_MS - performance.now();
  }

  #tell() {
    this.onRunning(this.isBusy);
  }
}
