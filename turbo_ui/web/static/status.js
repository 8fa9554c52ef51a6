// What the page says about itself: connection, model, notices. Text goes in as text, never as HTML.

import { ON_ITS_WAY, STATES } from "./models.js";
import { put } from "./text.js";

const NOTICE_MS = 8000;

/** How frames travel: the pill's look, its words, and what they mean. */
const LANES = {
  connecting: ["connecting", "Connecting", "The live lane is being opened."],
  websocket: ["live", "Live", "Connected: frames travel over the live lane."],
  event: ["slow", "Live, the slow way", "WebSockets do not work here: frames travel as Gradio events, and no model refines them."],
  refused: ["offline", "Not let in", "The server does not open the live lane now. Draw on: the board is kept here and sent once it does."],
  none: ["offline", "Reconnecting", "The server cannot be reached. Draw on: the board is kept here and sent on return."],
};

/** The header's pills and the notice line. */
export class Status {
  constructor(root) {
    this.root = root;
    this.notice = root.querySelector("[data-notice]");
    this.lanePill = root.querySelector("[data-lane]");
    this.modelPill = root.querySelector("[data-model]");
    this.progress = root.querySelector("[data-progress]");
    root.querySelector("[data-dismiss]").addEventListener("click", () => this.clear());
  }

  /** Shows how frames travel, and says so where that is the slow way. */
  lane(way) {
    const [state, text, help] = LANES[way];
    this.lanePill.dataset.state = state;
    put(this.lanePill.querySelector("[data-text]"), text);
    this.lanePill.title = help;
    if (way === "event") this.say(help);
    if (way === "websocket") this.clear();
  }

  /**
   * Shows the running model and, beside it, one that is on its way or could not be had.
   *
   * Returns { text, share }: what is being waited for and how much of it is done, null where unknown.
   */
  models(models, activeId, chosenId) {
    const active = models.find(({ id }) => id === activeId);
    const chosen = models.find(({ id }) => id === chosenId) ?? active;
    const isOnItsWay = ON_ITS_WAY.includes(chosen?.state);
    const state = active ? (isOnItsWay ? "busy" : "ready") : isOnItsWay ? "busy" : "waiting";
    this.modelPill.dataset.state = state;
    const words = [active?.title, isOnItsWay && `${chosen.title} is ${STATES[chosen.state]}`].filter(Boolean);
    put(this.modelPill.querySelector("[data-text]"), words.join(" · ") || "No model yet");
    const text = isOnItsWay || !active ? chosen?.text : `Runs on ${active.device}`;
    this.modelPill.title = [text, "Click for all models."].filter(Boolean).join(" · ");
    const share = isOnItsWay ? (chosen.progress ?? null) : null;
    this.progress.hidden = share === null;
    this.progress.style.setProperty("--share", String(share ?? 0));
    return { text: chosen?.text || "Waiting for a model", share };
  }

  /** Shows a sentence; `isLasting` keeps it until something else is said. */
  say(text, level = "info", isLasting = false) {
    clearTimeout(this.timer);
    put(this.notice.querySelector("[data-text]"), text);
    this.notice.dataset.level = level;
    this.notice.classList.add("is-shown");
    if (!isLasting) this.timer = setTimeout(() => this.clear(), NOTICE_MS);
  }

  clear() {
    this.notice.classList.remove("is-shown");
  }
}
