// The page: puts board, picture, controls, latency strip and session together.

import { Board } from "./board.js";
import { closeListsOnTab, Controls, explain, followKeyboard } from "./controls.js";
import { discard } from "./courier.js";
import { downloadPicture } from "./download.js";
import { Examples } from "./examples.js";
import { Keeping } from "./keeping.js";
import { LatencyStrip } from "./latency.js";
import { Lineup } from "./lineup.js";
import { Meter } from "./meter.js";
import { Picture } from "./picture.js";
import { NO_MODEL, Refiner } from "./refine.js";
import { Requests } from "./requests.js";
import { Session } from "./session.js";
import { showShape } from "./shape.js";
import { Shelf } from "./shelf.js";
import { Sketcher } from "./sketch.js";
import { Status } from "./status.js";
import { listenForTheme } from "./theme.js";
import { Toolbar } from "./toolbar.js";

const PARTS = ["status", "board", "picture", "examples", "latency", "model-state", "refine-state"];
const NOT_IN_A_PICTURE = ["is_live", "is_seed_locked", "refine", "is_refine_auto"];
const parts = {};

/** Called by each of our components when Gradio has put it on the page; the last one starts the page. */
export function mount(name, element, trigger) {
  parts[name] = { element, trigger };
  if (PARTS.every((part) => parts[part]) && !window.turboUI) window.turboUI = new Page();
}

class Page {
  constructor() {
    this.base = new URL(".", document.baseURI);
    this.shelf = new Shelf();
    this.meter = new Meter();
    this.sketcher = new Sketcher();
    this.debounceMs = 60;
    this.inkVersion = 0; // counts the changes of what is drawn
    this.version = 0; // counts the changes of all that a picture is made of
    this.status = new Status(parts.status.element);
    this.picture = new Picture(parts.picture.element);
    this.controls = new Controls({
      onChange: (name, value) => this.#controlChanged(name, value),
      onSync: () => parts.board.trigger("sync"),
    });
    const boardRoot = parts.board.element;
    this.board = new Board(boardRoot.querySelector(".board-host"), {
      onAsked: (from, to) => this.controls.follow(from, to),
      onInk: (eventTime) => this.#inked(eventTime),
      onBegin: () => this.controls.values.is_seed_locked || this.controls.rollSeed(),
      onDocument: (boardDocument) => this.#boardChanged(boardDocument),
      onSettled: () => this.keeping.soon(),
    });
    this.requests = new Requests(this);
    this.toolbar = new Toolbar(boardRoot.querySelector(".board-tools"), this.board);
    this.examples = new Examples(parts.examples.element.querySelector(".examples-row"), this.board, this.controls);
    this.refiner = new Refiner({
      isAllowed: () => this.#canRefine(),
      isAutomatic: () => this.controls.values.is_refine_auto,
      submit: () => this.#submitRefine(),
      onState: (now) => this.#showRefine(now),
    });
    this.lineup = new Lineup({
      header: parts.status.element,
      modelLine: parts["model-state"].element,
      refineLine: parts["refine-state"].element,
      status: this.status,
      picture: this.picture,
      controls: this.controls,
      load: (id) => this.session.load(id),
      ask: (prompt) => this.board.ask({ prompt: this.controls.values.prompt }, { prompt }),
    });
    this.keeping = new Keeping(
      this.shelf,
      (withHistory) => this.#state(withHistory),
      () => Boolean(this.board.active),
      () => this.status.say("This browser's storage is full: the board will not survive a reload.", "error"),
    );
    this.strip = new LatencyStrip(parts.latency.element, this.meter, () => this.session);
    explain();
    closeListsOnTab();
    followKeyboard();
    this.controls.correctOnLeave();
    this.#listen();
    this.#restore();
    this.session = new Session(this.base, this.shelf.page, this.#callbacks());
    this.status.lane("connecting");
  }

  // ---- called by Gradio's client-side events

  set(name, value) {
    this.controls.set(name, value);
  }

  values() {
    return this.controls.forGradio();
  }

  rollSeed() {
    this.controls.rollSeed();
    return this.controls.values.seed;
  }

  draw() {
    this.session.loop.touch();
  }

  refineNow() {
    if (this.refineModel && this.refiner.state !== "refining") this.refiner.begin();
  }

  /** The counters and percentiles on screen, as data. */
  stats() {
    const { meter, session } = this;
    return {
      frames: meter.frames,
      superseded: session.superseded,
      latency_ms: {
        p50: meter.percentile(0.5),
        p95: meter.percentile(0.95),
        last: meter.last ? { total: meter.last.total, ...meter.last.stages } : {},
      },
      fps: meter.fps(performance.now()),
      lane: session.way,
      model: session.activeModel,
      connected: session.way !== "none",
      num_sessions: session.numSessions,
      bytes: { sent: session.lane.bytesSent, received: session.lane.bytesReceived },
    };
  }

  // ---- what goes out

  #inked(eventTime) {
    this.inkVersion += 1;
    this.version += 1;
    if (this.session && this.controls.values.is_live) this.session.loop.touch(eventTime);
  }

  #boardChanged(board) {
    this.toolbar?.update(board);
    if (!showShape(board.aspect)) return;
    this.controls.show({ aspect: board.aspect });
    if (this.session) this.#showModels(this.session.models, this.session.activeModel);
  }

  #controlChanged(name, value) {
    this.keeping.soon();
    if (name === "aspect") return this.board.reshape(value);
    if (name === "refine") this.#refineChosen();
    if (name === "is_refine_auto") this.refiner.look();
    const isCaughtUp = name === "is_live" && this.controls.values.is_live;
    if (NOT_IN_A_PICTURE.includes(name) && !isCaughtUp) return;
    this.version += 1;
    clearTimeout(this.typing);
    const at = performance.now();
    const touch = () => this.controls.values.is_live && this.session.loop.touch(at);
    if (name === "prompt") this.typing = setTimeout(touch, this.debounceMs);
    else touch();
    if (["model", "size"].includes(name)) this.#showModels(this.session.models, this.session.activeModel);
  }

  /** The request as it is now; `sentKey` names the sketch that the server already has. */
  async #capture(sentKey, model) {
    const { version, inkVersion } = this;
    clearTimeout(this.typing); // the newest words go along
    const isPatch = this.session.way === "websocket";
    return { version, ...(await this.requests.live(model, { inkVersion, sentKey, isPatch })) };
  }

  // ---- draft and refine

  /** The model that is to refine, as the server tells it; null where none is chosen. */
  get refineModel() {
    return this.session?.models.find(({ id }) => id === this.controls.values.refine) ?? null;
  }

  #canRefine() {
    const { refineModel: model, session } = this;
    const isDraftShown = this.paintedVersion === this.version && session.loop.isAtRest;
    return model?.state === "ready" && isDraftShown && session.way === "websocket";
  }

  #refineChosen() {
    if (this.refineModel) this.session.load(this.refineModel.id);
    this.refiner.again();
    this.#showModels(this.session.models, this.session.activeModel);
  }

  async #submitRefine() {
    const { refineModel: model } = this;
    const { turn } = this.refiner;
    const { params, aspect, image } = await this.requests.refine(model);
    if (turn !== this.refiner.turn) return null; // the hand moved on meanwhile
    this.refinedAspect = aspect;
    return this.session.refine(model.id, params, image);
  }

  #showRefine(now) {
    this.picture.mark(now, this.refineModel);
    this.#showRunning();
  }

  #showRunning() {
    this.picture.setRunning(Boolean(this.session?.loop.isBusy) || this.refiner.isRefining);
  }

  async #refined(header, payload, arrival) {
    const isShown = this.refiner.receive(header);
    if (header.kind === "error") this.status.say(header.text, "error");
    if (!isShown) return discard(arrival.image);
    header.aspect = this.refinedAspect;
    const painted = await this.picture.paint(header, payload, "image/jpeg", arrival);
    if (painted && header.kind === "refine") this.#caption(header);
  }

  // ---- what comes in

  #callbacks() {
    return {
      capture: (sentKey, model) => this.#capture(sentKey, model),
      paint: (...frame) => this.picture.paint(...frame),
      onPainted: (header, record, version) => this.#painted(header, record, version),
      onRefine: (...answer) => this.#refined(...answer),
      onTouch: () => this.refiner.touched(),
      onSketchLost: () => this.sketcher.forget(),
      onRunning: () => this.#showRunning(),
      onLane: (way) => this.#showLane(way),
      onModels: (models, active) => this.#showModels(models, active),
      onWelcome: (welcome) => this.#welcomed(welcome),
      onNotice: (text, level) => this.status.say(text, level),
    };
  }

  #welcomed({ limits = {}, refine_model: refine }) {
    this.debounceMs = limits.debounce_ms ?? this.debounceMs;
    this.sketcher.maxPx = limits.max_image_px ?? this.sketcher.maxPx;
    this.refiner.settleMs = limits.settle_ms ?? this.refiner.settleMs;
    const { values } = this.controls;
    const wish = values.is_refine_chosen ? values.refine : refine;
    const known = this.session.models.some(({ id }) => id === wish) ? wish : NO_MODEL;
    if (known !== values.refine) this.controls.show({ refine: known });
    if (this.refineModel?.state === "absent") this.session.load(known);
  }

  #painted(header, record, version) {
    this.meter.add(record);
    this.paintedVersion = version;
    this.#caption(header);
    this.refiner.look();
  }

  #caption(header) {
    this.painted = header;
    this.picture.describe(header, this.session.models.find(({ id }) => id === header.request?.model));
  }

  #showLane(way) {
    this.status.lane(way);
    this.lineup.canRefine = way !== "event";
    if (this.session?.models.length) this.#showModels(this.session.models, this.session.activeModel);
    if (way === "none" || way === "refused") this.picture.setWaiting("Waiting for the server");
  }

  #showModels(models, active) {
    const isNew = active !== this.shownModel;
    this.shownModel = active;
    const chosen = models.find(({ id }) => id === this.controls.values.model);
    if (chosen?.state === "failed" && chosen.id !== active) this.controls.unchooseModel();
    this.lineup.show(models, active, this.refineModel);
    this.picture.mark(this.refiner.now, this.refineModel);
    if (isNew && this.session) this.session.loop.touch();
    if (this.refineModel?.state === "ready") this.refiner.revive();
  }

  // ---- keeping

  #restore() {
    const kept = this.shelf.load();
    const examples = this.examples.load(new URL("turbo-ui/examples", this.base));
    examples.catch((error) => this.status.say(error.message, "error"));
    if (kept) {
      try {
        this.board.document.load(kept.board);
        this.toolbar.restore(kept.tool);
        this.controls.show({ ...kept.controls, aspect: this.board.document.aspect });
        this.board.onInk(performance.now());
        return;
      } catch (error) {
        this.status.say(`The saved board could not be read (${error.message}). A new one is started.`, "error");
      }
    }
    examples.then(() => this.examples.open()).catch(() => {});
  }

  #state(withHistory) {
    const { board, controls } = this;
    return { board: board.document.toData({ withHistory }), tool: board.tool, controls: controls.values };
  }

  #listen() {
    // Gradio's own input event passes over the first change after a value was set by the page, so that
    // a prompt pasted after a click on an example would be lost
    document.addEventListener("input", ({ target }) => {
      if (target.matches?.("#prompt textarea")) this.set("prompt", target.value);
    });
    parts.picture.element.querySelector("[data-download]").addEventListener("click", () => this.#download());
    listenForTheme(parts.status.element.querySelector("[data-theme]"));
  }

  #download() {
    downloadPicture(this.picture, this.session).catch((error) => this.status.say(error.message, "error"));
  }
}
