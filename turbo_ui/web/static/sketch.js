// Flattens the board to the model's size and encodes it, in a worker.

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

/** Encodes bitmaps in a worker of its own. */
class Encoder {
  #worker = new Worker(new URL("./codec.worker.js", import.meta.url));
  #waiting = new Map();
  #nextId = 1;

  constructor() {
    this.#worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error) reject(new Error(data.error));
      else resolve(data);
    };
  }

  /** Takes the bitmap over; resolves to what the worker answers to this `task`. */
  encode(ink, task) {
    const id = this.#nextId++;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#worker.postMessage({ id, ink, paper: PAPER, ...task }, [ink]);
    return answer;
  }
}

/** The board as it is sent: as a picture, or as what changed since it was last sent. */
export class Sketcher {
  #flattener = new Flattener();
  #encoder = new Encoder();
  #sheet = ""; // the size of the sheet that the server has, as far as this page knows
  maxPx = 4096; // the longest side that the server takes; it scales to the picture's size itself

  /** The server has no sheet any more, or another one than this page thinks. */
  forget() {
    this.#sheet = "";
  }

  /** What is drawn as a JPEG of this size with the times that took, or that nothing is drawn. */
  take(board, width, height) {
    return this.#take(board, width, height, () => ({ quality: JPEG_QUALITY }));
  }

  /** What changed on a sheet of this size since this was last asked: to be sent, or else forgotten. */
  takePatch(board, width, height) {
    return this.#take(board, width, height, (sheet) => {
      const isFirst = sheet !== this.#sheet;
      this.#sheet = sheet;
      return { isPatch: true, isFirst };
    });
  }

  async #take(board, width, height, taskOf) {
    const { objects, isEmpty } = board.document;
    if (isEmpty && !board.active) return { isEmpty: true, isNew: false };
    const begun = performance.now();
    const scale = Math.min(1, this.maxPx / Math.max(width, height));
    const size = [width, height].map((px) => Math.max(1, Math.round(px * scale)));
    const ink = this.#flattener.flatten(objects, board.active, ...size);
    const capture = performance.now() - begun;
    try {
      const { bytes, patch } = await this.#encoder.encode(ink, taskOf(size.join("x")));
      const encode = performance.now() - begun - capture;
      return { isNew: true, bytes, patch, timings: { capture, encode } };
    } catch (error) {
      this.forget();
      throw error;
    }
  }
}
