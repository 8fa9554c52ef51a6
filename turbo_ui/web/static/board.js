// The drawing board: a Konva stage over a BoardDocument. Strokes become objects when the pen lifts.

import "./vendor/konva/konva.min.js";
import { paperOf } from "./aspect.js";
import { BoardDocument } from "./document.js";
import { drawObject } from "./ink.js";
import { PAPER } from "./sketch.js";

const Konva = globalThis.Konva;
const MIN_STEP = 0.6; // board pixels: nearer points only add work
// as soon as the hand moved, where the browser tells it; else with the next display frame
const MOVED = "onpointerrawupdate" in globalThis ? "pointerrawupdate" : "pointermove";
const PALM_MS = 3000; // for so long after a pen was seen, what touches is the hand that holds it

/** Draws with pointer, pen and touch; calls `onInk(eventTime)` for each change of what is seen. For `onAsked` see
 * `BoardDocument`. */
export class Board {
  constructor(host, { onAsked, onBegin, onInk, onDocument, onSettled }) {
    this.host = host;
    this.onBegin = onBegin;
    this.onInk = onInk;
    this.onSettled = onSettled;
    this.tool = { tool: "brush", color: "#1b1b1f", width: 10 };
    this.active = null;
    this.penAt = -Infinity; // when a pen was seen last, drawing or hovering
    this.hover = null; // the newest pointer event over the board
    const changed = () => {
      onDocument(this.document);
      this.#fit();
      this.#drawSettled();
    };
    this.document = new BoardDocument(changed, onAsked);
    this.#buildStage();
    this.#listen();
  }

  /** Changes tool, colour or width for the strokes to come. */
  choose(change) {
    Object.assign(this.tool, change);
    this.host.dataset.tool = this.tool.tool;
    this.#moveCursor(this.hover);
  }

  undo() {
    this.#edit(() => this.document.undo());
  }

  redo() {
    this.#edit(() => this.document.redo());
  }

  clear() {
    this.#edit(() => this.document.clear());
  }

  reshape(aspect) {
    this.#edit(() => this.document.reshape(aspect));
  }

  ask(from, to) {
    this.#edit(() => this.document.ask(from, to));
  }

  replaceAll(objects, asked) {
    this.#edit(() => this.document.replaceAll(objects, asked));
  }

  #edit(action) {
    if (this.active) this.#finish();
    action();
    this.onInk(performance.now());
    this.onSettled();
  }

  /** What the board shows of the strokes' plane, in board pixels. */
  get paper() {
    return paperOf(this.document.aspect);
  }

  #buildStage() {
    this.stage = new Konva.Stage({ container: this.host, width: 1, height: 1, listening: false });
    const paper = new Konva.Layer({ listening: false });
    this.paperShape = new Konva.Rect({ fill: PAPER });
    paper.add(this.paperShape);
    // ink lies on a layer of its own so that the eraser takes away ink and not paper
    this.ink = new Konva.Layer({ listening: false });
    this.wet = new Konva.Layer({ listening: false });
    this.wetShape = this.#shape(() => (this.active ? [this.active] : []));
    this.wet.add(this.wetShape);
    this.ink.add(this.#shape(() => this.#inkObjects()));
    this.stage.add(paper, this.ink, this.wet);
    new ResizeObserver(() => this.#fit()).observe(this.host);
    this.#fit();
  }

  #shape(objects) {
    return new Konva.Shape({
      listening: false,
      perfectDrawEnabled: false,
      sceneFunc: (context) => {
        for (const object of objects()) drawObject(context._context, object, this.paper);
      },
    });
  }

  #inkObjects() {
    const erasing = this.active?.tool === "eraser" ? [this.active] : [];
    return [...this.document.objects, ...erasing];
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.host;
    const { aspect } = this.document;
    const fitted = `${width}x${height} ${aspect}`;
    if (!width || fitted === this.fitted) return;
    this.fitted = fitted;
    const { paper } = this;
    this.stage.size({ width, height });
    this.stage.scale({ x: width / paper.width, y: height / paper.height });
    this.stage.offset({ x: paper.x, y: paper.y });
    this.paperShape.setAttrs(paper);
    this.stage.batchDraw();
  }

  #drawSettled() {
    this.ink?.batchDraw();
  }

  #listen() {
    const host = this.host;
    host.addEventListener("pointerdown", (event) => this.#begin(event));
    host.addEventListener(MOVED, (event) => this.#move(event));
    host.addEventListener("pointerup", (event) => this.#end(event));
    host.addEventListener("pointercancel", (event) => this.#end(event));
    // comes after each of those, and alone where the browser lets go of a pointer and tells no end
    host.addEventListener("lostpointercapture", (event) => this.#end(event));
    host.addEventListener("pointerleave", () => this.#moveCursor(null));
    host.addEventListener("contextmenu", (event) => event.preventDefault());
    // iOS scrolls on touchmove whatever touch-action says once a finger has moved
    host.addEventListener("touchmove", (event) => event.preventDefault(), { passive: false });
    this.cursor = host.parentElement.querySelector(".board-cursor");
    const moved = () => (this.box = null);
    addEventListener("scroll", moved, { capture: true, passive: true });
    addEventListener("resize", moved);
    for (const name of ["pointerenter", "pointerdown"]) host.addEventListener(name, moved, { capture: true });
    const watch = new ResizeObserver(moved);
    for (const element of [host, document.body]) watch.observe(element);
  }

  /** Where the board is on the screen: measured anew only where something may have moved it. */
  #box() {
    this.box ??= this.host.getBoundingClientRect();
    return this.box;
  }

  #pointOf(event) {
    const box = this.#box();
    const { paper } = this;
    const scale = paper.width / box.width;
    const pressure = event.pointerType === "pen" ? event.pressure : 0.5;
    const round = (value) => Math.round(value * 10) / 10;
    return [
      round(paper.x + (event.clientX - box.left) * scale),
      round(paper.y + (event.clientY - box.top) * scale),
      Math.round(pressure * 100) / 100,
    ];
  }

  #begin(event) {
    const isPen = event.pointerType === "pen";
    if (isPen) this.penAt = event.timeStamp;
    const isPalm = event.pointerType === "touch" && event.timeStamp - this.penAt < PALM_MS;
    if (isPalm || event.button > 0 || (this.active && !this.#yields(isPen))) return;
    event.preventDefault();
    document.activeElement?.blur?.();
    this.host.focus({ preventScroll: true });
    this.host.setPointerCapture(event.pointerId);
    this.pointerId = event.pointerId;
    this.pointerType = event.pointerType;
    this.onBegin();
    this.active = {
      type: "stroke",
      ...this.tool,
      points: [this.#pointOf(event)],
      pressure: event.pointerType === "pen" ? "pen" : "simulated",
      fill: false,
    };
    this.#drawActive(event.timeStamp);
  }

  /** The stroke of a finger that lies there already was a palm's, when a pen begins: it goes. */
  #yields(isPen) {
    if (!isPen || this.pointerType !== "touch") return false;
    this.active = null;
    this.#drawSettled();
    this.wet.batchDraw();
    return true;
  }

  #move(event) {
    if (event.pointerType === "pen") this.penAt = event.timeStamp;
    this.#moveCursor(event);
    if (!this.active || event.pointerId !== this.pointerId) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) {
      const point = this.#pointOf(each);
      const last = this.active.points.at(-1);
      if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= MIN_STEP) this.active.points.push(point);
    }
    this.#drawActive(event.timeStamp);
  }

  #end(event) {
    if (event.pointerType === "pen") this.penAt = event.timeStamp;
    if (!this.active || event.pointerId !== this.pointerId) return;
    this.#finish();
    this.onInk(event.timeStamp);
    this.onSettled();
  }

  #finish() {
    const stroke = this.active;
    this.active = null;
    this.wet.batchDraw();
    this.document.add(stroke);
  }

  #drawActive(eventTime) {
    // one drawing a display frame, however many pointer events there are
    (this.active.tool === "eraser" ? this.ink : this.wet).batchDraw();
    this.onInk(eventTime);
  }

  #moveCursor(event) {
    const cursor = this.cursor;
    this.hover = event;
    if (!cursor) return;
    const isShown = event && event.pointerType !== "touch";
    cursor.hidden = !isShown;
    if (!isShown) return;
    const box = this.#box();
    const size = Math.max(4, (this.tool.width * box.width) / this.paper.width);
    if (size !== this.cursorSize) {
      this.cursorSize = size;
      cursor.style.width = cursor.style.height = `${size}px`;
    }
    const [x, y] = [event.clientX - box.left - size / 2, event.clientY - box.top - size / 2];
    cursor.style.transform = `translate(${x}px, ${y}px)`;
  }
}
