// The picture: unpacks frames, paints the newest, never shows an older one after it, never goes blank.

import { discard } from "./courier.js";
import { unpacked } from "./pictures.js";
import { shownPart } from "./size.js";
import { put } from "./text.js";

const DIM_AFTER_MS = 120;

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
    this.badge = root.querySelector("[data-badge]");
    this.isPreview = false; // what is shown is not finished
    this.final = null; // the last finished picture, as it came
    this.landing = [];
    this.paintedId = 0;
    this.paintedStep = 0;
    this.shownId = 0; // the newest that has reached the display
  }

  /**
   * Paints one frame, which came at `at` and whose `image` may be on the way. Resolves to { unpack, paint } in ms
   * once it is on the display, or to null where a newer one was there first. In a hidden tab `paint` is null:
   * nobody can say when it is seen.
   */
  async paint(header, bytes, type, { at, image: coming }) {
    const { request_id: requestId, step = 1, is_last: isLast = true } = header;
    if (this.#isStale(requestId, step)) {
      discard(coming);
      return null;
    }
    const { image, unpackedAt } = await (coming ?? unpackedHere(bytes, type));
    if (this.#isStale(requestId, step)) {
      image.close();
      return null;
    }
    this.paintedId = requestId;
    this.paintedStep = step;
    this.#draw(image, header);
    this.isPreview = !isLast;
    if (isLast) {
      this.final = { header, bytes, type };
      for (const resolve of this.landing.splice(0)) resolve();
    }
    const isShown = await displayed(() => this.paintedId === requestId && this.paintedStep === step);
    if (isShown === false) return null; // painted over before any display frame
    this.shownId = Math.max(this.shownId, requestId);
    return { unpack: unpackedAt - at, paint: isShown && performance.now() - unpackedAt };
  }

  /** Shows the last finished picture again, where the one that was begun over it never came. */
  async restore() {
    if (!this.isPreview || !this.final) return;
    const { final, paintedId } = this;
    const image = await unpacked(final.bytes, final.type);
    if (this.paintedId !== paintedId || this.final !== final) return image.close();
    this.#draw(image, final.header);
    this.isPreview = false;
    for (const resolve of this.landing.splice(0)) resolve();
  }

  /** Resolves when what is shown is finished. */
  landed() {
    return this.isPreview ? new Promise((resolve) => this.landing.push(resolve)) : Promise.resolve();
  }

  /** Marks what is shown: the draft, a refine under way or done; nothing where no model refines. */
  mark({ state, step, steps }, model) {
    if (state === "failed") this.restore();
    const stage = state === "failed" ? "draft" : state;
    const waiting = model?.state === "ready" ? "Refining" : `Waiting for ${model?.title}`;
    const texts = {
      draft: ["Draft", "Drawn while the hand moves."],
      refining: [step ? `Refining, step ${step} of ${steps}` : waiting, "A stroke stops it."],
      refined: ["Refined", model ? `Drawn by ${model.title}.` : ""],
    };
    const [text, help] = texts[stage];
    this.badge.dataset.stage = model || stage === "refined" ? stage : "none";
    put(this.badge, text);
    this.badge.title = help;
  }

  setRunning(isRunning) {
    clearTimeout(this.dimming);
    // between two frames of a moving pen the light stays on: a flicker tells nothing
    if (isRunning) this.#light(true);
    else this.dimming = setTimeout(() => this.#light(false), DIM_AFTER_MS);
  }

  #light(isRunning) {
    if (this.isLit === isRunning) return;
    this.isLit = isRunning;
    this.root.classList.toggle("is-running", isRunning);
    this.light.title = isRunning ? "A frame is being made" : "At rest: the picture is up to date";
  }

  /** The line under a finished picture; `model` is the entry of the one that drew it. */
  describe(header, model) {
    const { request = {}, num_denoising_steps: steps = 1 } = header;
    const stepsText = steps === 1 ? "1\u00a0step" : `${steps}\u00a0steps`;
    const { width, height } = shownPart(header, request.width, request.height);
    const size = `${width}×${height}`;
    const words = [model?.title ?? request.model, size, stepsText, `seed\u00a0${request.seed}`];
    // some licences want to be named where the picture is shown
    if (model?.attribution) words.push(model.attribution);
    put(this.caption, words.join(" · "));
  }

  /** What the empty sheet says until the first picture; `share` of it is done, where that is known. */
  setWaiting(text, share = null, isFailed = false) {
    put(this.wait.querySelector("[data-wait]"), text);
    this.wait.classList.toggle("is-still", isFailed);
    this.wait.classList.toggle("has-share", share !== null);
    this.wait.style.setProperty("--share", String(share ?? 0));
  }

  #isStale(requestId, step) {
    return requestId < this.paintedId || (requestId === this.paintedId && step < this.paintedStep);
  }

  /** Draws the part of a picture that shows the board, in the board's shape: see `shownPart`. */
  #draw(image, header) {
    const { canvas } = this;
    const whole = [image.displayWidth ?? image.width, image.displayHeight ?? image.height];
    const { left, top, width, height, ratio } = shownPart(header, ...whole);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    if (ratio !== this.ratio) canvas.style.setProperty("--ratio", (this.ratio = ratio));
    this.context.drawImage(image, -left, -top);
    image.close();
    this.root.classList.add("has-picture");
    this.download.disabled = false;
  }
}

async function unpackedHere(bytes, type) {
  const image = await unpacked(bytes, type);
  return { image, unpackedAt: performance.now() };
}

/**
 * Resolves when what was drawn so far has been handed to the display, to what `isStill()` said at that display
 * frame. Where the tab is hidden, or gets so before, that frame comes when it is shown again: at once to null
 * then, or to false where `isStill()` says so.
 */
function displayed(isStill) {
  if (document.hidden) return Promise.resolve(isStill() && null);
  return new Promise((resolve) => {
    const hidden = () => resolve(isStill() && null);
    document.addEventListener("visibilitychange", hidden, { once: true });
    requestAnimationFrame(() => {
      document.removeEventListener("visibilitychange", hidden);
      const isShown = isStill();
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve(isShown);
      port2.postMessage(null);
    });
  });
}
