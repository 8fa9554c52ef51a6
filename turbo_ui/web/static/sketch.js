// Flattens the board to the model's size; what is made of it is made beside the page's thread.

import { ask } from "./courier.js";
import { BOARD_PX } from "./document.js";
import { drawObject } from "./ink.js";

export const PAPER = "#ffffff";
const JPEG_QUALITY = 0.9;

/** Flattens objects. What is settled stays drawn between calls: a stroke in progress costs one stroke. */
export class Flattener {
  #settled = null;
  #drawn = [];

  /** An ImageBitmap of the objects, and of the stroke in progress: ink alone, the worker has the paper. */
  flatten(objects, active, width, height) {
    const sheet = new OffscreenCanvas(width, height);
    const context = sheet.getContext("2d");
    context.drawImage(this.#settledOn(objects, width, height), 0, 0);
    if (active) drawScaled(context, active, width, height);
    return sheet.transferToImageBitmap();
  }

  #settledOn(objects, width, height) {
    const canvas = this.#settled;
    const isSameSize = canvas && canvas.width === width && canvas.height === height;
    const isGrown = isSameSize && this.#drawn.every((object, index) => objects[index] === object);
    if (!isGrown) {
      this.#settled = new OffscreenCanvas(width, height);
      this.#drawn = [];
    }
    const context = this.#settled.getContext("2d");
    for (const object of objects.slice(this.#drawn.length)) drawScaled(context, object, width, height);
    this.#drawn = objects;
    return this.#settled;
  }
}

function drawScaled(context, object, width, height) {
  context.setTransform(width / BOARD_PX, 0, 0, height / BOARD_PX, 0, 0);
  drawObject(context, object);
  context.setTransform(1, 0, 0, 1, 0, 0);
}

/** The board as it is sent: as a picture, or as what changed since it was last sent. */
export class Sketcher {
  #flattener = new Flattener();
  #sheet = ""; // the size of the sheet that the server has, as far as this page knows
  maxPx = 4096; // the longest side that the server takes; it scales to the picture's size itself

  /** The server has no sheet any more, or another one than this page thinks. */
  forget() {
    this.#sheet = "";
  }

  /** What is drawn as a JPEG of this size, or that nothing is drawn. */
  async take(board, width, height) {
    const { ink, isEmpty, timings } = this.#flat(board, width, height);
    if (isEmpty) return { isEmpty, isNew: false };
    const { bytes } = await ask("jpeg", { ink, paper: PAPER, quality: JPEG_QUALITY }, [ink]);
    return { isNew: true, bytes, timings: { ...timings, encode: performance.now() - timings.takenAt } };
  }

  /** `ink` on `paper` for the lane to make a patch of, `isFirst` on its sheet: to be sent, or else forgotten. */
  takePatch(board, width, height) {
    const { ink, isEmpty, timings } = this.#flat(board, width, height);
    if (isEmpty) return { isEmpty, isNew: false };
    const sheet = `${ink.width}x${ink.height}`;
    const isFirst = sheet !== this.#sheet;
    this.#sheet = sheet;
    return { isNew: true, ink, paper: PAPER, isFirst, timings };
  }

  #flat(board, width, height) {
    const { objects, isEmpty } = board.document;
    if (isEmpty && !board.active) return { isEmpty: true };
    const begun = performance.now();
    const scale = Math.min(1, this.maxPx / Math.max(width, height));
    const size = [width, height].map((px) => Math.max(1, Math.round(px * scale)));
    const ink = this.#flattener.flatten(objects, board.active, ...size);
    const takenAt = performance.now();
    return { ink, timings: { capture: takenAt - begun, takenAt } };
  }
}
