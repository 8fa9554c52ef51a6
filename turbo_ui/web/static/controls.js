// The values of the Gradio components beside the board: prompt, model, strength, seed, steps, aspect, size, live.
//
// The components are Gradio's own; their client-side events call `set`, and where the page itself changes
// a value (an example, the dice, a reload) `onSync` asks Gradio to show what `forGradio` returns.

import { ASPECTS, SQUARE } from "./aspect.js";
import { NO_MODEL } from "./refine.js";
import { limitText, sidesOf, sizeFor } from "./size.js";

/** The least and the most of each number; what is typed beyond counts as these. */
const RANGES = { strength: [0.05, 1], seed: [0, 2 ** 32 - 1] };
const AUTO = "auto";

const DEFAULTS = {
  prompt: "",
  model: "",
  is_model_chosen: false,
  refine: NO_MODEL,
  is_refine_chosen: false,
  is_refine_auto: true,
  strength: 0.6,
  seed: 7,
  is_seed_locked: true,
  steps: AUTO,
  aspect: SQUARE,
  size: AUTO,
  is_live: true,
};

/** What the words beside the board mean, shown on hover. */
const HELP = {
  "#model": "Which model draws. Another one loads in the background and takes over when it is ready.",
  "#refine": "A slower model that draws the picture once more when your hand rests. A stroke stops it.",
  "#refine-auto": "On: the refine model draws when the hand rests. Off: it waits for the button.",
  "#refine-now": "Has the refine model draw now.",
  "#strength": "How far the picture may depart from your sketch: low keeps its lines, 1 takes it as a hint.",
  "#seed": "The same seed gives the same picture for the same drawing and words.",
  "#seed-lock": "Locked: the seed stays. Unlocked: every new stroke brings a new one.",
  "#seed-dice": "Picks a new seed.",
  "#steps": "Denoising steps. Auto is what the model draws best with; more is slower.",
  "#aspect": "The shape of board and picture. What is beyond the edges of a narrower board stays and can come back.",
  "#size": "Pixels: as many as a square with this side has, whatever the aspect. Auto is the model's own.",
  "#live": "On: the picture follows every stroke and word. Off: it waits for the button.",
};

/** Puts the explanations on the components. */
export function explain() {
  for (const [id, text] of Object.entries(HELP)) {
    const component = document.querySelector(id);
    if (component) component.title = text;
  }
}

/** Closes a list that the Tab key leaves: Gradio opens it once more after the focus has gone (seen in 6.31). */
export function closeListsOnTab() {
  document.addEventListener("focusout", ({ target, isTrusted }) => {
    if (isTrusted && target.role === "combobox") setTimeout(() => target.dispatchEvent(new FocusEvent("blur")));
  });
}

/** Keeps the prompt in sight where a keyboard makes the page shorter. */
export function followKeyboard() {
  addEventListener("resize", () => {
    const { activeElement: typed } = document;
    if (typed?.matches("#prompt textarea")) typed.scrollIntoView({ block: "nearest" });
  });
}

/** Calls `onChange(name, value)` for what the user changed and `onSync()` for what the page changed. */
export class Controls {
  constructor({ onChange, onSync }) {
    this.values = { ...DEFAULTS };
    this.sides = []; // of the sizes on offer
    this.onChange = onChange;
    this.onSync = onSync;
  }

  /** The user changed a component. */
  set(name, value) {
    if (name === this.emptied) return;
    const clean = cleaned(name, value);
    if (clean === undefined || clean === this.values[name]) return;
    this.values[name] = clean;
    if (name === "model") this.values.is_model_chosen = true;
    if (name === "refine") this.values.is_refine_chosen = true;
    this.#showButtons();
    this.onChange(name, clean);
  }

  /** The page changes values; the components follow. */
  show(changes) {
    for (const [name, value] of Object.entries(changes)) {
      const clean = name in DEFAULTS ? cleaned(name, value) : undefined;
      if (clean !== undefined) this.values[name] = clean;
    }
    this.#showButtons();
    this.onSync();
  }

  /**
   * Goes along with a step of the board from some values to others, and returns those that were there. What was changed
   * since gives way to other words, and stays where there are none.
   */
  follow(from, to) {
    const { prompt, strength } = this.values;
    const follows = ([name, value]) => value !== "" || this.values[name] === cleaned(name, from[name]);
    this.show(Object.fromEntries(Object.entries(to).filter(follows)));
    return { prompt, strength };
  }

  /**
   * A number's box that is left shows what is drawn with: not what was typed and cannot be. Nor is an empty one the least
   * that can be, which Gradio makes of it.
   */
  correctOnLeave() {
    const nameOf = (target) =>
      ["number", "range"].includes(target.type) && Object.keys(RANGES).find((id) => target.closest(`#${id}`));
    const typed = ({ target }) => {
      const name = nameOf(target);
      if (name) this.emptied = target.value === "" ? name : null;
    };
    document.addEventListener("input", typed, { capture: true });
    document.addEventListener("focusout", ({ target }) => {
      const name = nameOf(target);
      if (name && (target.value === "" || Number(target.value) !== this.values[name])) this.onSync();
    });
  }

  /** What does not happen by itself has a button. */
  #showButtons() {
    const { is_live: isLive, is_refine_auto: isAuto, refine } = this.values;
    document.body.classList.toggle("is-not-live", !isLive);
    document.body.classList.toggle("has-refiner", refine !== NO_MODEL);
    document.body.classList.toggle("is-refined-by-hand", !isAuto && refine !== NO_MODEL);
  }

  /** Lists the sizes that a model draws. */
  offerSizes(model) {
    this.sides = sidesOf(model);
    if (String(this.#sizes()) !== this.listed) this.onSync();
  }

  /** Entries of the size box: what the model draws, and what is wished for, whoever draws it. */
  #sizes() {
    const { size } = this.values;
    const sides = new Set(size === AUTO ? this.sides : [...this.sides, Number(size)]);
    const listed = [...sides].sort((a, b) => a - b).map(String);
    return [["Auto", AUTO], ...listed.map((side) => [side, side])];
  }

  /** Leaves the model to the server again, as when the chosen one cannot be had. */
  unchooseModel() {
    this.values.is_model_chosen = false;
  }

  rollSeed() {
    this.show({ seed: crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000 });
    this.onChange("seed", this.values.seed);
  }

  /** In the order in which the page's Python names the components. */
  forGradio() {
    const { prompt, model, refine, strength, seed, is_seed_locked, steps, aspect } = this.values;
    const { is_live, is_refine_auto } = this.values;
    const choices = this.#sizes();
    this.listed = String(choices);
    const size = { __type__: "update", value: this.values.size, choices };
    return [prompt, model, refine, strength, seed, is_seed_locked, steps, aspect, size, is_live, is_refine_auto];
  }

  /** What a request takes from here; `model` is the entry of the model that will draw it. */
  params(model) {
    const { values } = this;
    const [width, height] = this.sizeOf(model, sideFor(model, values.size));
    return {
      model: values.is_model_chosen ? values.model : null,
      prompt: values.prompt,
      strength: values.strength,
      seed: values.seed,
      num_inference_steps: values.steps === AUTO ? null : Number(values.steps),
      width,
      height,
    };
  }

  /** The [width, height] of a model's picture in the chosen aspect, with the pixels of a square of `side`. */
  sizeOf(model, side) {
    return model ? sizeFor(model, side, this.values.aspect) : [side, side];
  }

  /** Where a model cannot draw the chosen aspect or size: what it does, in words. */
  limitText(model) {
    const side = sideFor(model, this.values.size);
    return limitText(model, this.sizeOf(model, side), side, this.values.aspect);
  }
}

/** The side of the square that has as many pixels as are wished for. */
function sideFor(model, wish) {
  if (wish !== AUTO) return Number(wish);
  return model?.live_size_px ?? model?.default_size_px ?? 256;
}

function cleaned(name, value) {
  switch (typeof DEFAULTS[name]) {
    case "boolean":
      return Boolean(value);
    case "number": {
      const number = Number(value);
      if (value === null || value === "" || !Number.isFinite(number)) return undefined;
      const [least, most] = RANGES[name];
      const held = Math.min(most, Math.max(least, number));
      return name === "seed" ? Math.round(held) : held;
    }
    default:
      if (name === "aspect" && !ASPECTS.includes(value)) return undefined;
      if (name === "size" && value !== AUTO && !/^[1-9]\d{0,3}$/.test(value)) return undefined;
      return value === null || value === undefined ? undefined : String(value);
  }
}
