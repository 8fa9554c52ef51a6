// Flattens the board to the model's size; what is made of it is made beside the page's thread.

import { paperOf } from "./aspect.js";
import { ask } from "./courier.js";
import { drawObject } from "./ink.js";
import { viewOf } from "./size.js";

export const PAPER = "#ffffff";
const JPEG_QUALITY = 0.9;

/** Flattens objects. What is settled stays drawn between calls: a stroke in progress costs one stroke. */
export class Flattener {
  #settled = null;
  #aspect = "";
  #drawn = [];

  /** An ImageBitmap of a board's objects, and of the stroke in progress: ink alone, the worker has the paper. */
  flatten({ aspect, objects }, active, width, height) {
    const sheet = new OffscreenCanvas(width, height);
    const context = sheet.getContext("2d");
    context.drawImage(this.#settledOn(aspect, objects, width, height), 0, 0);
    if (active) drawScaled(context, active, aspect);
    return sheet.transferToImageBitmap();
  }

  #settledOn(aspect, objects, width, height) {
    const canvas = this.#settled;
    const isSameShape = canvas?.width === width && canvas.height === height && this.#aspect === aspect;
    const isGrown = isSameShape && this.#drawn.every((object, index) => objects[index] === object);
    if (!isGrown) {
      this.#settled = new OffscreenCanvas(width, height);
      this.#aspect = aspect;
      this.#drawn = [];
    }
    const context = this.#settled.getContext("2d");
    for (const object of objects.slice(this.#drawn.length)) drawScaled(context, object, aspect);
    this.#drawn = objects;
    return this.#settled;
  }
}

/** Draws one object of a board on a sheet, in whose middle the board lies where it does not fill it. */
function drawScaled(context, object, aspect) {
  const { width, height } = context.canvas;
  const [paper, view] = [paperOf(aspect), viewOf(aspect, width, height)];
  context.save();
  context.scale(width / view.width, height / view.height);
  context.translate(-view.x, -view.y);
  if (!object.bleeds) {
    // what was drawn beyond the edges, on a board of another aspect, is not on this one
    context.beginPath();
    context.rect(paper.x, paper.y, paper.width, paper.height);
    context.clip();
  }
  drawObject(context, object, view);
  context.restore();
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
    const { isEmpty } = board.document;
    if (isEmpty && !board.active) return { isEmpty: true };
    const begun = performance.now();
    const scale = Math.min(1, this.maxPx / Math.max(width, height));
    const size = [width, height].map((px) => Math.max(1, Math.round(px * scale)));
    const ink = this.#flattener.flatten(board.document, board.active, ...size);
    const takenAt = performance.now();
    return { ink, timings: { capture: takenAt - begun, takenAt } };
  }
}
