// The models on offer and where each stands: the list behind the header's pill, the lines under the boxes.
// Text goes in as text, never as HTML; an address in it becomes a link.

import { closeLikeASheet } from "./dialog.js";
import { put } from "./text.js";

/** The states of a model in words. */
export const STATES = {
  absent: "not loaded",
  downloading: "downloading",
  loading: "loading",
  warming: "warming up",
  ready: "ready",
  evicted: "unloaded",
  failed: "failed",
};
const ASK = { absent: "Load", evicted: "Load again", failed: "Retry" };

/** The states of a model that will be ready by itself. */
export const ON_ITS_WAY = ["downloading", "loading", "warming"];

/** The list of all models, in a dialog; `onLoad(id)` is asked to load one, or to try again. */
export class ModelList {
  constructor(dialog, opener, onLoad) {
    this.dialog = dialog;
    this.list = dialog.querySelector("[data-list]");
    this.onLoad = onLoad;
    this.rows = new Map();
    opener.addEventListener("click", () => dialog.showModal());
    closeLikeASheet(dialog);
  }

  /** `roles` maps ids to what a model does for this page now: "draws", "refines". */
  show(models, roles) {
    for (const model of models) {
      if (!this.rows.has(model.id)) this.rows.set(model.id, this.#row(model));
      this.#update(this.rows.get(model.id), model, roles[model.id] ?? "");
    }
    for (const [id, row] of this.rows) {
      if (models.some((model) => model.id === id)) continue;
      row.remove();
      this.rows.delete(id);
    }
  }

  #row(model) {
    const row = document.createElement("li");
    row.className = "model-row";
    row.dataset.id = model.id;
    const head = add(row, "div", "model-head");
    add(head, "strong", "model-title");
    add(head, "span", "model-chip");
    add(head, "span", "model-role");
    const ask = add(head, "button", "ask-button");
    ask.type = "button";
    ask.addEventListener("click", () => this.onLoad(model.id));
    add(row, "p", "model-text");
    add(add(row, "i", "model-bar"), "i");
    add(row, "p", "model-facts");
    add(row, "p", "model-licence");
    add(row, "p", "model-how");
    this.list.append(row);
    return row;
  }

  #update(row, model, role) {
    const at = (name) => row.querySelector(`.${name}`);
    row.dataset.state = model.state;
    put(at("model-title"), model.title);
    put(at("model-chip"), STATES[model.state] ?? model.state);
    put(at("model-role"), role);
    put(at("ask-button"), ASK[model.state] ?? "");
    at("ask-button").hidden = !(model.state in ASK);
    const isTold = ON_ITS_WAY.includes(model.state) || model.state === "failed";
    putLinked(at("model-text"), isTold ? [model.text, bytesText(model)].filter(Boolean).join(" ") : "");
    showShare(at("model-bar"), model);
    put(at("model-facts"), factsOf(model).join(" · "));
    showLicence(at("model-licence"), model);
    putLinked(at("model-how"), model.state === "ready" ? "" : (model.how_to_get ?? ""));
  }
}

/** The lines under a box: how its model stands, its licence, and a button where it has to be asked for. */
export class ModelLine {
  constructor(part, onLoad, onWords) {
    const root = part.querySelector(".model-line");
    this.root = root;
    this.text = root.querySelector("[data-text]");
    this.ask = root.querySelector("[data-ask]");
    this.bar = root.querySelector(".model-bar");
    this.licence = root.querySelector(".model-licence");
    this.words = root.querySelector("[data-words]");
    this.ask.addEventListener("click", () => onLoad(this.model.id));
    this.words.addEventListener("click", () => onWords(this.model));
  }

  /** `standing` says what is going on where that is more than the model's own state. */
  show(model, standing = "") {
    this.root.classList.toggle("is-empty", !model);
    this.model = model;
    if (!model) return;
    this.root.dataset.state = model.state;
    const text = ON_ITS_WAY.includes(model.state) ? bytesText(model) || model.text : model.text;
    put(this.text, standing || text || STATES[model.state]);
    this.text.title = model.text;
    this.ask.hidden = !(model.state in ASK);
    put(this.ask, ASK[model.state] ?? "");
    showShare(this.bar, model);
    showLicence(this.licence, model);
    this.words.hidden = !model.words_url;
  }
}

/** "1.2 of 2.6 GB, 24 MB/s", as far as it is known; else nothing. */
function bytesText({ state, num_bytes: done, total_bytes: total, bytes_per_s: speed }) {
  if (state !== "downloading" || !done) return "";
  const words = total ? `${size(done, total)} of ${size(total)}` : size(done);
  return speed ? `${words}, ${size(speed)}/s` : words;
}

/** Bytes as people say them; `like` gives the unit, which is then left out. */
function size(bytes, like = null) {
  const unit = ["B", "kB", "MB", "GB"][unitOf(like ?? bytes)];
  const value = bytes / 1000 ** unitOf(like ?? bytes);
  const number = value < 10 ? value.toFixed(1) : Math.round(value).toString();
  return like === null ? `${number} ${unit}` : number;
}

function unitOf(bytes) {
  return Math.min(3, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
}

function factsOf(model) {
  // of what its repository has not told yet nothing is said
  const facts = model.is_provisional ? [] : [`${sizesOf(model)} px`];
  if (model.device) facts.push(model.device);
  if (model.weights_bytes) facts.push(`about ${size(model.weights_bytes)} of weights`);
  if (model.memory_bytes) facts.push(`${size(model.memory_bytes)} on a GPU`);
  if (model.file_hash) facts.push(`AutoV2 ${model.file_hash}`);
  if (model.is_remote) facts.push("runs elsewhere, only to refine");
  if (!model.takes_sketch) facts.push("draws from the prompt alone: the board is not sent");
  return facts;
}

function sizesOf({ min_size_px: min, max_size_px: max, only_sizes_px: only }) {
  if (min === max) return `${min}`;
  return only ? only.map(([width, height]) => `${width}×${height}`).join(", ") : `${min}–${max}`;
}

function showShare(bar, { state, progress }) {
  const isKnown = ON_ITS_WAY.includes(state) && progress !== null && progress !== undefined;
  bar.classList.toggle("is-shown", isKnown);
  bar.style.setProperty("--share", String(isKnown ? progress : 0));
}

function showLicence(host, { licence, licence_url: url, attribution }) {
  const key = [licence, url, attribution].join("\n");
  if (host.dataset.key === key) return;
  host.dataset.key = key;
  host.replaceChildren();
  if (url) add(host, "a").append(licence);
  else host.append(licence === "unknown" ? "Licence unknown" : licence);
  for (const link of host.querySelectorAll("a")) openElsewhere(link, url);
  if (attribution) host.append(` · ${attribution}`);
}

/** Text whose addresses can be clicked. */
function putLinked(host, text) {
  if (host.dataset.key === text) return;
  host.dataset.key = text;
  host.replaceChildren();
  for (const part of text.split(/(https?:\/\/[^\s,;)]+[^\s,;).])/)) {
    if (/^https?:/.test(part)) openElsewhere(add(host, "a"), part).append(part);
    else host.append(part);
  }
}

function openElsewhere(link, url) {
  // an address of the catalog or of an error: nothing but the web and this app's own files may be linked
  if (/^(https?:|turbo-ui\/)/.test(url)) link.href = url;
  link.target = "_blank";
  link.rel = "noreferrer";
  return link;
}

function add(host, tag, className = "") {
  const element = document.createElement(tag);
  element.className = className;
  host.append(element);
  return element;
}
