// The board as data: objects, and the history of what was done to them. No drawing, no DOM in here.
//
// An object is frozen once it is on the board:
//   { id, type: "stroke", tool: "brush" | "eraser", color: "#rrggbb", width,
//     points: [[x, y, pressure], …], pressure: "pen" | "simulated" | "none", fill: bool }
// and `bleeds` where it is an example's background: it goes on to the board's edges, whatever its aspect.
// Lengths are in board pixels, from the corner of the square board: see `paperOf` for the other aspects.

import { ASPECTS, BOARD_PX, SQUARE } from "./aspect.js";

export const MAX_UNDO = 200;
const FORMAT = 1;
const ASKED = ["prompt", "strength"]; // what a step may change beside the board

/**
 * The board's aspect and the objects on it, with undo and redo. `onChange` is called after each change, and before it
 * `onAsked(from, to)` where the step also changed what the picture is asked for with, in the direction it is taken; it
 * returns what was asked for until then, which is where the way back leads.
 */
export class BoardDocument {
  constructor(onChange = () => {}, onAsked = (from) => from) {
    this.aspect = SQUARE;
    this.objects = [];
    this.done = [];
    this.undone = [];
    this.nextId = 1;
    this.onChange = onChange;
    this.onAsked = onAsked;
  }

  get isEmpty() {
    return this.objects.length === 0;
  }

  get canUndo() {
    return this.done.length > 0;
  }

  get canRedo() {
    return this.undone.length > 0;
  }

  /** Puts one more object on top. */
  add(object) {
    const kept = Object.freeze({ ...object, id: this.nextId++ });
    this.#apply({ removed: [], added: [kept] });
    return kept;
  }

  /** Takes everything off the board; can be undone like any stroke. */
  clear() {
    if (!this.isEmpty) this.#apply({ removed: this.objects, added: [] });
  }

  /** Puts other objects in place of all that is there, as one step; `asked`: the values before and with it. */
  replaceAll(objects, asked) {
    const added = objects.map((object) => Object.freeze({ ...object, id: this.nextId++ }));
    this.#apply({ removed: this.objects, added, asked });
  }

  /** Changes nothing on the board: a step of values alone, the ones before and with it, as of `replaceAll`. */
  ask(from, to) {
    this.#apply({ removed: [], added: [], asked: [from, to] });
  }

  /** Gives the board another shape; no object changes. What is beyond its edges then is kept. */
  reshape(aspect) {
    if (aspect !== this.aspect) this.#apply({ removed: [], added: [], aspects: [this.aspect, aspect] });
  }

  undo() {
    const step = this.done.pop();
    if (!step) return false;
    this.undone.push(step);
    const gone = new Set(step.added.map((object) => object.id));
    // what a step removes is always the whole board, so what comes back goes below what stayed
    this.objects = [...step.removed, ...this.objects.filter((object) => !gone.has(object.id))];
    this.aspect = step.aspects?.[0] ?? this.aspect;
    if (step.asked) step.asked = [step.asked[0], this.onAsked(step.asked[1], step.asked[0])];
    this.onChange();
    return true;
  }

  redo() {
    const step = this.undone.pop();
    if (!step) return false;
    this.done.push(step);
    this.#take(step);
    return true;
  }

  #apply(step) {
    this.done.push(step);
    if (this.done.length > MAX_UNDO) this.done.shift();
    this.undone = [];
    this.#take(step);
  }

  #take(step) {
    this.objects = after(this.objects, step);
    this.aspect = step.aspects?.[1] ?? this.aspect;
    if (step.asked) step.asked = [this.onAsked(step.asked[0], step.asked[1]), step.asked[1]];
    this.onChange();
  }

  /** All of it as JSON-ready data; each object stands once, steps name them by id. */
  toData({ withHistory = true } = {}) {
    const byId = new Map();
    const note = (objects) => objects.map((object) => (byId.set(object.id, object), object.id));
    const shown = note(this.objects);
    const line = ({ removed, added, aspects, asked }) => {
      const step = [note(removed), note(added), aspects ?? null];
      return asked ? [...step, asked] : step;
    };
    const steps = (list) => list.map(line);
    const done = withHistory ? steps(this.done) : [];
    const undone = withHistory ? steps(this.undone) : [];
    const { aspect, nextId } = this;
    return { format: FORMAT, aspect, nextId, shown, done, undone, objects: [...byId.values()] };
  }

  /** What `toData` gave, back. Throws a TypeError on data of another shape, and changes nothing then. */
  load(data) {
    if (data?.format !== FORMAT) throw new TypeError("a board of an unknown format");
    const byId = new Map(data.objects.map((object) => [object.id, checked(object)]));
    const find = (ids) =>
      ids.map((id) => {
        if (!byId.has(id)) throw new TypeError(`the board names object ${id}, which it does not hold`);
        return byId.get(id);
      });
    const steps = (list) =>
      list.map(([removed, added, aspects, asked]) => {
        const step = { removed: find(removed), added: find(added), aspects: aspects?.map(known) };
        return isAsked(asked) ? { ...step, asked } : step;
      });
    const aspect = known(data.aspect);
    const [shown, done, undone] = [find(data.shown), steps(data.done), steps(data.undone)];
    this.aspect = aspect;
    this.objects = shown;
    this.done = done;
    this.undone = undone;
    this.nextId = Math.max(1, Number(data.nextId) || 1, ...[...byId.keys()].map((id) => id + 1));
    this.onChange();
  }
}

/** A stroke of an example file as an object of the board. */
export function strokeFromExample(stroke) {
  const isAtEdge = ([x, y]) => Math.min(x, y) <= 0 || Math.max(x, y) >= BOARD_PX - 1;
  return {
    type: "stroke",
    tool: "brush",
    color: stroke.color,
    width: stroke.width,
    points: stroke.points.map(([x, y]) => [x, y, 0.5]),
    pressure: "none",
    fill: Boolean(stroke.fill),
    bleeds: stroke.points.some(isAtEdge),
  };
}

function after(objects, step) {
  const gone = new Set(step.removed.map((object) => object.id));
  return [...objects.filter((object) => !gone.has(object.id)), ...step.added];
}

/** An aspect of this page: a board that another version kept may have none of them. */
function known(aspect) {
  return ASPECTS.includes(aspect) ? aspect : SQUARE;
}

/** What a picture is asked for with, before and after a step. */
function isAsked(asked) {
  const isKnown = (values) => values instanceof Object && Object.keys(values).every((name) => ASKED.includes(name));
  return Array.isArray(asked) && asked.length === 2 && asked.every(isKnown);
}

function checked(object) {
  const isPoint = (point) => Array.isArray(point) && point.every(Number.isFinite);
  const isStroke = object.type === "stroke" && Array.isArray(object.points) && object.points.every(isPoint);
  if (!Number.isInteger(object.id) || !isStroke || !(object.width > 0)) {
    throw new TypeError("an object of the board is damaged");
  }
  return Object.freeze(object);
}
