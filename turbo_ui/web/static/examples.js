// The examples row: small drawings with a prompt, one click puts one on the board.

import { BOARD_PX } from "./aspect.js";
import { strokeFromExample } from "./document.js";
import { drawObject } from "./ink.js";
import { PAPER } from "./sketch.js";

const THUMBNAIL_PX = 144;

/** Fills the row from the server's list of { title, prompt, strength, strokes }. */
export class Examples {
  constructor(root, board, controls) {
    Object.assign(this, { root, board, controls });
    this.list = [];
  }

  async load(url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`The examples could not be loaded (${answer.status}).`);
    this.list = (await answer.json()).map((example) => ({
      ...example,
      objects: example.strokes.map(strokeFromExample),
    }));
    this.root.replaceChildren(...this.list.map((example) => this.#button(example)));
  }

  /** Puts one on the board, its prompt and strength beside it: one step, which undo takes back whole. */
  pick({ objects, prompt, strength }) {
    const { values } = this.controls;
    const before = { prompt: values.prompt, strength: values.strength };
    const isThere = this.picked && this.board.document.done.at(-1) === this.picked.step && values.prompt === prompt;
    if (isThere && this.picked.objects === objects) return; // a step that changes nothing would be one to undo
    this.board.replaceAll(objects, [before, { prompt, strength: strength ?? values.strength }]);
    this.picked = { objects, step: this.board.document.done.at(-1) };
  }

  /** The first one, where nobody drew or typed while it came. */
  open() {
    const { document: drawn, active } = this.board;
    const isUntouched = drawn.isEmpty && !drawn.canUndo && !drawn.canRedo && !active && !this.controls.values.prompt;
    if (isUntouched && this.list.length) this.pick(this.list[0]);
  }

  #button(example) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "example";
    button.title = example.prompt;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = THUMBNAIL_PX;
    const context = canvas.getContext("2d");
    context.fillStyle = PAPER;
    context.fillRect(0, 0, THUMBNAIL_PX, THUMBNAIL_PX);
    context.scale(THUMBNAIL_PX / BOARD_PX, THUMBNAIL_PX / BOARD_PX);
    for (const object of example.objects) drawObject(context, object);
    const title = document.createElement("span");
    title.textContent = example.title;
    button.append(canvas, title);
    button.addEventListener("click", () => this.pick(example));
    return button;
  }
}
