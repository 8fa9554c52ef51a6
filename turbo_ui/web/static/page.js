// The page: puts board, picture, controls, latency strip and session together.

import { Board } from "./board.js";
import { Controls, explain } from "./controls.js";
import { Examples } from "./examples.js";
import { LatencyStrip } from "./latency.js";
import { Meter } from "./meter.js";
import { Picture } from "./picture.js";
import { Session } from "./session.js";
import { Shelf, read, write } from "./shelf.js";
import { Encoder, Flattener } from "./sketch.js";
import { ON_ITS_WAY, Status } from "./status.js";
import { Toolbar } from "./toolbar.js";

const SAVE_AFTER_MS = 200;
const PARTS = ["status", "board", "picture", "examples", "latency"];
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
    this.flattener = new Flattener();
    this.encoder = new Encoder();
    this.debounceMs = 60;
    this.inkVersion = 0; // counts the changes of what is drawn
    this.status = new Status(parts.status.element);
    this.picture = new Picture(parts.picture.element);
    this.controls = new Controls({
      onChange: (name, value) => this.#controlChanged(name, value),
      onSync: () => parts.board.trigger("sync"),
    });
    const boardRoot = parts.board.element;
    this.board = new Board(boardRoot.querySelector(".board-host"), {
      onInk: (eventTime) => this.#inked(eventTime),
      onBegin: () => this.controls.values.is_seed_locked || this.controls.rollSeed(),
      onDocument: (boardDocument) => this.toolbar?.update(boardDocument),
      onSettled: () => this.#saveSoon(),
    });
    this.toolbar = new Toolbar(boardRoot.querySelector(".board-tools"), this.board);
    this.examples = new Examples(parts.examples.element.querySelector(".examples-row"), (each) => this.#pick(each));
    this.strip = new LatencyStrip(parts.latency.element, this.meter, () => this.session);
    explain();
    this.#listen();
    this.#restore();
    this.session = new Session(this.base, this.shelf.page, this.#callbacks());
    this.status.lane("connecting", "Connecting", "The live lane is being opened.");
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
    this.toolbar?.update(this.board.document);
    this.inkVersion += 1;
    if (this.session && this.controls.values.is_live) this.session.loop.touch(eventTime);
  }

  #controlChanged(name) {
    this.#saveSoon();
    if (name === "is_live") document.body.classList.toggle("is-not-live", !this.controls.values.is_live);
    if (name === "is_seed_locked" || !this.controls.values.is_live) return;
    const at = performance.now();
    clearTimeout(this.typing);
    if (name === "prompt") this.typing = setTimeout(() => this.session.loop.touch(at), this.debounceMs);
    else this.session.loop.touch(at);
    if (name === "model") this.status.models(this.session.models, this.session.activeModel, this.controls.values.model);
  }

  /** The request as it is now; `sentKey` names the sketch that the server already has. */
  async #capture(sentKey, model) {
    const params = this.controls.params(model);
    const { objects, isEmpty } = this.board.document;
    const key = `${this.inkVersion} ${params.width}x${params.height}`;
    if (isEmpty && !this.board.active) return { params, image: { isEmpty: true, isNew: false, key } };
    if (key === sentKey && this.session.way === "websocket") return { params, image: { isNew: false, key } };
    const begun = performance.now();
    const bitmap = this.flattener.flatten(objects, this.board.active, params.width, params.height);
    const capture = performance.now() - begun;
    const encoded = await this.encoder.encode(bitmap);
    const encode = performance.now() - begun - capture;
    return { params, image: { isNew: true, key, bytes: encoded.bytes, timings: { capture, encode } } };
  }

  // ---- what comes in

  #callbacks() {
    return {
      capture: (sentKey, model) => this.#capture(sentKey, model),
      paint: (header, payload, type) =>
        this.picture.paint(header.request_id, header.step ?? 1, payload, type),
      onPainted: (header, record) => this.#painted(header, record),
      onRunning: (isRunning) => this.picture.setRunning(isRunning),
      onLane: (way) => this.#showLane(way),
      onModels: (models, active, isWelcome) => this.#showModels(models, active, isWelcome),
      onLimits: (limits) => (this.debounceMs = limits.debounce_ms ?? this.debounceMs),
      onNotice: (text, level) => this.status.say(text, level),
    };
  }

  #painted(header, record) {
    this.meter.add(record);
    this.painted = header;
    const { request = {}, num_denoising_steps: steps = 1 } = header;
    const model = this.session.models.find(({ id }) => id === request.model);
    const stepsText = steps === 1 ? "1\u00a0step" : `${steps}\u00a0steps`;
    const words = [model?.title ?? request.model, `${request.width}×${request.height}`, stepsText, `seed\u00a0${request.seed}`];
    // some licences want to be named where the picture is shown
    if (model?.attribution) words.push(model.attribution);
    this.picture.setCaption(words.join(" · "));
  }

  #showLane(way) {
    const texts = {
      websocket: ["live", "Live", "Connected: frames travel over the live lane."],
      event: ["slow", "Live, the slow way", "A WebSocket cannot be had here, so frames travel as Gradio events."],
      none: ["offline", "Reconnecting", "The server cannot be reached. Draw on: the board is kept here and sent on return."],
    };
    this.status.lane(...texts[way]);
    if (way === "event") this.status.say("No WebSocket can be had here: frames take a slower way.", "info");
    if (way === "websocket") this.status.clear();
    if (way === "none") this.picture.setWaiting("Waiting for the server");
  }

  #showModels(models, active) {
    const isNew = active !== this.shownModel;
    this.shownModel = active;
    const chosen = models.find(({ id }) => id === this.controls.values.model);
    if (!chosen || chosen.state === "failed") this.controls.unchooseModel();
    // the box shows what draws or will draw first, unless the user's own choice is still on its way
    const { values } = this.controls;
    const shown = active ?? models.find(({ state }) => ON_ITS_WAY.includes(state))?.id;
    if (shown && shown !== values.model && !values.is_model_chosen) this.controls.show({ model: shown });
    const { text, share } = this.status.models(models, active, values.model);
    const failed = active ? null : models.find(({ state }) => state === "failed");
    if (failed) this.status.say(failed.text, "error", true);
    if (active) this.picture.setWaiting("The first picture is on its way");
    else this.picture.setWaiting(failed && !shown ? failed.text : text, share, failed && !shown);
    if (isNew && this.session) this.session.loop.touch();
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
        this.controls.show(kept.controls ?? {});
        this.board.onInk(performance.now());
        return;
      } catch (error) {
        this.status.say(`The kept board could not be read (${error.message}). It starts afresh.`, "error");
      }
    }
    examples.then(() => this.board.document.isEmpty && !this.board.active && this.#pick(this.examples.list[0])).catch(() => {});
  }

  #pick(example) {
    if (!example) return;
    this.controls.show({ prompt: example.prompt, strength: example.strength });
    this.board.replaceAll(example.objects);
  }

  #state(withHistory) {
    return {
      board: this.board.document.toData({ withHistory }),
      tool: this.board.tool,
      controls: this.controls.values,
    };
  }

  #saveSoon() {
    this.isUnsaved = true;
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.#save(), SAVE_AFTER_MS);
  }

  #save() {
    if (!this.isUnsaved) return;
    this.isUnsaved = !this.shelf.save(this.#state(true), () => this.#state(false));
    if (this.isUnsaved) this.status.say("This browser's storage is full: the board will not survive a reload.", "error");
  }

  #listen() {
    addEventListener("pagehide", () => this.#save());
    // Gradio's own input event passes over the first change after a value was set by the page, so that
    // a prompt pasted after a click on an example would be lost
    document.addEventListener("input", ({ target }) => {
      if (target.matches?.("#prompt textarea")) this.set("prompt", target.value);
    });
    document.addEventListener("visibilitychange", () => document.hidden && this.#save());
    parts.picture.element.querySelector("[data-download]").addEventListener("click", () => this.#download());
    parts.status.element.querySelector("[data-theme]").addEventListener("click", () => {
      const isDark = document.body.classList.toggle("dark");
      write("turbo-ui/theme", isDark ? "dark" : "light");
    });
    const theme = read("turbo-ui/theme");
    const isAsked = new URLSearchParams(location.search).has("__theme");
    if (theme && !isAsked) document.body.classList.toggle("dark", theme === "dark");
  }

  async #download() {
    if (!this.painted) return;
    try {
      const { name, bytes } = await this.session.savePng(this.painted.request_id);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
      this.status.say(error.message, "error");
    }
  }
}
