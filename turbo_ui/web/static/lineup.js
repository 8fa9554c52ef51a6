// Shows which model draws, which refines, and how each stands: header, boxes, empty sheet, list.

import { ModelLine, ModelList, ON_ITS_WAY } from "./models.js";
import { behind, Words } from "./words.js";

/** `load(id)` is asked to load a model, `ask(prompt)` to draw one; the rest comes from the server and the controls. */
export class Lineup {
  constructor({ header, modelLine, refineLine, status, picture, controls, load, ask }) {
    Object.assign(this, { status, picture, controls });
    this.list = new ModelList(header.querySelector("dialog"), header.querySelector("[data-model]"), load);
    this.words = new Words(header.querySelector(".word-list"), {
      onPick: (word, others) => ask(others ? behind(controls.values.prompt, word, others) : word),
      onError: (text) => status.say(text, "error"),
    });
    const showWords = (model) => this.words.show(model);
    this.modelLine = new ModelLine(modelLine, load, showWords);
    this.refineLine = new ModelLine(refineLine, load, showWords);
    this.canRefine = true; // refines travel over the live lane alone
  }

  /** `active` is the id of the model that draws now, `refining` the entry of the one that refines. */
  show(models, active, refining) {
    this.#followModel(models, active);
    const { values } = this.controls;
    const drawing = models.find(({ id }) => id === active);
    const wished = models.find(({ id }) => id === values.model) ?? drawing;
    const { text, share } = this.status.models(models, active, values.model);
    this.list.show(models, { [refining?.id]: "refines", [active]: "draws" });
    if (wished && !wished.is_provisional) this.controls.offerSizes(wished);
    const limit = wished ? this.controls.limitText(wished) : "";
    this.modelLine.show(wished, wished?.state === "ready" ? limit || wished.device : "");
    this.refineLine.show(refining, refining ? this.#standing(refining) : "");
    const failed = active ? null : models.find(({ state }) => state === "failed");
    if (failed) this.status.say(failed.text, "error", true);
    const isStuck = failed && !models.some(({ state }) => ON_ITS_WAY.includes(state));
    if (active) this.picture.setWaiting("The first picture is on its way");
    else this.picture.setWaiting(isStuck ? failed.text : text, share, isStuck);
  }

  /** The box shows what draws or will draw first, unless the user's own choice is still on its way. */
  #followModel(models, active) {
    const { values } = this.controls;
    const chosen = models.find(({ id }) => id === values.model);
    if (!chosen) this.controls.unchooseModel();
    const shown = active ?? models.find(({ state }) => ON_ITS_WAY.includes(state))?.id;
    if (shown && shown !== values.model && !values.is_model_chosen) this.controls.show({ model: shown });
  }

  #standing(refining) {
    if (!this.canRefine) return "Cannot refine here: WebSockets do not work";
    if (refining.state !== "ready") return "";
    const when = this.controls.values.is_refine_auto ? "Draws when the hand rests" : "Waits for the button";
    return refining.takes_sketch ? when : `${when}; the board is not sent`;
  }
}
