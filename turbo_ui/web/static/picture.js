// The picture: unpacks frames, paints the newest, never shows an older one after it, never goes blank.

/** Paints JPEG or PNG bytes onto a canvas. */
export class Picture {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.light = root.querySelector("[data-light]");
    this.caption = root.querySelector("[data-caption]");
    this.wait = root.querySelector(".picture-wait");
    this.download = root.querySelector("[data-download]");
    this.paintedId = 0;
    this.paintedStep = 0;
    this.shownId = 0; // the newest that has reached the display
  }

  /**
   * Paints one frame. Resolves to { unpack, paint } in ms once it is on the display, or to null where a
   * newer one has been painted meanwhile.
   */
  async paint(requestId, step, bytes, type = "image/jpeg") {
    const begun = performance.now();
    if (this.#isStale(requestId, step)) return null;
    const bitmap = await createImageBitmap(new Blob([bytes], { type }));
    if (this.#isStale(requestId, step)) {
      bitmap.close();
      return null;
    }
    this.paintedId = requestId;
    this.paintedStep = step;
    const unpacked = performance.now();
    this.#draw(bitmap);
    await displayed();
    this.shownId = Math.max(this.shownId, requestId);
    return { unpack: unpacked - begun, paint: performance.now() - unpacked };
  }

  setRunning(isRunning) {
    this.root.classList.toggle("is-running", isRunning);
    this.light.title = isRunning ? "A frame is being made" : "At rest: the picture is up to date";
  }

  setCaption(text) {
    if (this.caption.textContent !== text) this.caption.textContent = text;
  }

  /** What the empty sheet says until the first picture; `share` of it is done, where that is known. */
  setWaiting(text, share = null, isFailed = false) {
    const line = this.wait.querySelector("[data-wait]");
    if (line.textContent !== text) line.textContent = text;
    this.wait.classList.toggle("is-still", isFailed);
    this.wait.classList.toggle("has-share", share !== null);
    this.wait.style.setProperty("--share", String(share ?? 0));
  }

  #isStale(requestId, step) {
    return requestId < this.paintedId || (requestId === this.paintedId && step < this.paintedStep);
  }

  #draw(bitmap) {
    const { canvas } = this;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    this.context.drawImage(bitmap, 0, 0);
    bitmap.close();
    this.root.classList.add("has-picture");
    this.download.disabled = false;
  }
}

/** Resolves when what was drawn so far has been handed to the display; at once in a hidden tab. */
function displayed() {
  if (document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = resolve;
      port2.postMessage(null);
    });
  });
}
