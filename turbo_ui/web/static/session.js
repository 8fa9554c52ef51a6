// One page's conversation with the server: which lane, what was sent, what came back.

import { generate, healthOf, whyClosed } from "./fallback.js";
import { Lane } from "./lane.js";
import { LiveLoop } from "./loop.js";
import { STAGES } from "./meter.js";

const FALLBACK_AFTER = 3; // failed connections in a row, while the server answers plain requests
const PASSING = ["too_fast", "stopping"]; // refusals that are over in a moment

/** Sends what `capture()` gives; hands frames, models and notices to the callbacks in `page`. */
export class Session {
  constructor(base, shelfPage, page) {
    this.base = base;
    this.page = page;
    this.way = "none";
    this.superseded = 0;
    this.numSessions = 1;
    this.models = [];
    this.activeModel = null;
    this.sentParams = {};
    this.sentSketch = undefined;
    this.saving = new Map();
    this.refusedWith = null; // why the server does not open the lane, in its words
    this.numUnexplained = 0; // failed connections in a row for which it has named no reason
    this.refines = new Set(); // the numbers of all refines on this connection
    this.loop = new LiveLoop({
      canSend: () => this.way !== "none",
      canReplace: () => this.way === "websocket",
      capture: (requestId) => this.#capture(requestId),
      send: (request, record) => this.#send(request, record),
      onTouch: () => page.onTouch(),
      onRunning: (isRunning) => page.onRunning(isRunning),
    });
    const url = new URL("live", base);
    url.protocol = url.protocol.replace("http", "ws");
    this.lane = new Lane(url, shelfPage, {
      onMessage: (header, payload, arrival) => this.#receive(header, payload, arrival),
      onState: (state) => this.#laneState(state),
    });
  }

  get model() {
    return this.models.find(({ id }) => id === this.activeModel) ?? null;
  }

  /** The PNG of a finished picture, with the request that made it: resolves to { name, bytes }. */
  savePng({ header: { request_id: requestId, request }, bytes, type }) {
    const name = `turbo-ui-${request.model}-${request.seed}.png`;
    if (type === "image/png") return Promise.resolve({ name, bytes }); // it came so, as an event
    if (this.way !== "websocket") return Promise.reject(new Error("The server cannot be reached now."));
    return new Promise((resolve, reject) => {
      this.saving.set(requestId, { resolve, reject });
      this.lane.send({ kind: "save", request_id: requestId });
    });
  }

  /** Has another model draw the same; returns its number, or null where nothing could be sent. */
  refine(model, params, image) {
    const requestId = this.loop.takeId();
    const header = { kind: "refine", request_id: requestId, model, params };
    if (image.isEmpty) header.image = null;
    if (!this.lane.isOpen || !this.lane.send(header, image.bytes ?? null)) return null;
    this.refines.add(requestId);
    return requestId;
  }

  /** Has a model loaded, or tried again. */
  load(model) {
    if (this.lane.isOpen) this.lane.send({ kind: "load", model });
  }

  async #capture(requestId) {
    const begun = performance.now();
    const { params, image, version, aspect } = await this.page.capture(this.sentSketch, this.model);
    return { requestId, params, image, begun, record: { begun, version, aspect, ...image.timings } };
  }

  async #send({ requestId, params, image }, record) {
    if (this.way === "event") {
      this.#sendEvent(requestId, params, image);
      return true;
    }
    const changed = Object.entries(params).filter(([name, value]) => this.sentParams[name] !== value);
    const header = { kind: "frame", request_id: requestId, params: Object.fromEntries(changed) };
    if (image.isEmpty) header.image = null;
    // a JPEG was taken for /generate, before the lane opened
    const isSent = image.ink
      ? await this.#sendSketch(header, image, record)
      : this.lane.send(header, image.bytes ?? null);
    if (isSent) {
      this.sentParams = params;
      this.sentSketch = image.key;
    } else this.#forgetSketch();
    record.hasImage = image.isNew;
    record.isFirstPatch = image.isFirst ?? false;
    return isSent;
  }

  async #sendSketch(header, image, record) {
    try {
      const { isSent, encodedAt, sentAt } = await this.lane.sendSketch(header, image);
      Object.assign(record, { encode: encodedAt - record.takenAt, sentAt });
      return isSent;
    } catch (error) {
      this.#forgetSketch();
      throw error;
    }
  }

  async #sendEvent(requestId, params, image) {
    try {
      const { header, payload } = await generate(this.base, params, image.isEmpty ? null : image.bytes);
      const arrival = { at: performance.now(), image: null };
      this.#frame({ ...header, request_id: requestId }, payload, "image/png", arrival);
      await this.#drawnBy(header.request.model);
    } catch (error) {
      this.loop.finished(requestId);
      if (error instanceof TypeError) {
        // the browser's word for a server that cannot be reached at all
        if (this.way === "event") this.#shut("none");
      } else {
        this.page.onNotice(error.message, "error");
      }
    }
  }

  /** Of an event that another model drew: nothing else tells of models there, and sizes are the model's own. */
  async #drawnBy(model) {
    if (model === this.activeModel) return;
    const health = await healthOf(this.base);
    if (this.way !== "event") return;
    this.models = health?.models ?? this.models;
    this.activeModel = model;
    this.page.onModels(this.models, model);
  }

  #laneState(state) {
    // one more try that failed: what travels as an event meanwhile is still on its way
    if (state !== "open" && this.way === "event") return void this.#lookAround();
    this.loop.reset();
    this.sentParams = {};
    this.#forgetSketch();
    for (const { reject } of this.saving.values()) reject(new Error("The connection was lost."));
    this.saving.clear();
    this.refines.clear();
    if (state === "open") {
      this.way = "websocket";
      this.refusedWith = null;
      this.numUnexplained = 0;
      this.loop.touch();
    } else {
      this.way = "none";
      if (this.lane.failures >= FALLBACK_AFTER) this.#lookAround();
    }
    if (this.refusedWith === null) this.page.onLane(this.way);
  }

  /** The server's sketch is not the one that this page thinks it has: the next is sent whole. */
  #forgetSketch() {
    this.sentSketch = undefined;
    this.page.onSketchLost();
  }

  /** The lane did not open: goes round a network that passes none, but not round a server that refuses it. */
  async #lookAround() {
    if (this.isLookingAround) return;
    this.isLookingAround = true;
    try {
      const { isThere, refusal } = await whyClosed(this.base);
      if (this.lane.isOpen) return;
      if (refusal) this.#refused(refusal);
      else if (this.way === "none") await this.#goRound(isThere);
    } finally {
      this.isLookingAround = false;
    }
  }

  /** Also a page that goes round already, as a place was free when it asked, goes back and waits for one. */
  #refused({ code, text }) {
    if (this.way === "event" && PASSING.includes(code)) return;
    this.numUnexplained = 0;
    const isNews = text !== this.refusedWith;
    this.refusedWith = text;
    if (!isNews) return;
    this.#shut("refused");
    this.page.onNotice(text, "error");
  }

  async #goRound(isThere) {
    this.numUnexplained += 1;
    // a place that was free for a moment is no network without WebSockets
    if (isThere && this.refusedWith !== null && this.numUnexplained < FALLBACK_AFTER) return;
    if (this.refusedWith !== null) this.page.onLane("none");
    this.refusedWith = null;
    const health = await healthOf(this.base);
    if (!health || this.way !== "none" || this.lane.isOpen) return;
    this.models = health.models ?? this.models;
    this.activeModel = health.active_model ?? this.activeModel;
    this.way = "event";
    this.page.onModels(this.models, this.activeModel);
    this.page.onLane(this.way);
    this.loop.touch();
  }

  /** Nothing is sent any more; what is drawn is kept for when it can be. */
  #shut(shownAs) {
    this.way = "none";
    this.page.onLane(shownAs);
  }

  #receive(header, payload, arrival) {
    const id = header.request_id;
    if (this.refines.has(id) && header.kind !== "png" && header.code !== "not_saved") {
      this.superseded = header.superseded ?? this.superseded;
      this.page.onRefine(header, payload, arrival);
      return;
    }
    switch (header.kind) {
      case "welcome":
      case "models":
        this.models = header.models;
        this.activeModel = header.active_model;
        this.numSessions = header.num_sessions ?? this.numSessions;
        if (header.kind === "welcome") this.page.onWelcome(header);
        this.page.onModels(this.models, this.activeModel);
        break;
      case "taken":
        this.loop.taken(id);
        break;
      case "superseded":
        this.superseded = header.superseded ?? this.superseded + 1;
        this.loop.finished(id);
        break;
      case "frame":
      case "preview":
      case "refine":
        this.#frame(header, payload, "image/jpeg", arrival);
        break;
      case "png":
        this.#settleSave(id, ({ resolve }) => resolve({ name: header.name, bytes: payload }));
        break;
      case "sessions":
        this.numSessions = header.num_sessions;
        break;
      case "notice":
        this.page.onNotice(header.text, header.level);
        break;
      case "error":
        if (header.code === "not_saved") this.#settleSave(id, ({ reject }) => reject(new Error(header.text)));
        if (header.field?.startsWith("patch")) {
          const isFirst = this.loop.recordOf(id)?.isFirstPatch ?? true;
          this.loop.finished(id);
          this.#forgetSketch();
          // sent whole it may well pass; what was whole already would be refused for ever
          if (!isFirst) {
            this.loop.touch();
            break;
          }
        } else if (header.code !== "not_saved" && id !== undefined) this.loop.finished(id);
        if (header.code !== "not_saved") this.page.onNotice(header.text, "error");
        break;
      default: // a newer server may say more than this page knows
    }
  }

  #settleSave(id, settle) {
    const entry = this.saving.get(id);
    this.saving.delete(id);
    if (entry) settle(entry);
  }

  async #frame(header, payload, type, arrival) {
    const isLast = header.is_last !== false;
    const id = header.request_id;
    const record = isLast ? this.loop.finished(id) : this.loop.recordOf(id);
    this.superseded = header.superseded ?? this.superseded;
    this.numSessions = header.num_sessions ?? this.numSessions;
    header.aspect = record?.aspect; // of the board that was sent, which may have another one by now
    const painted = await this.page.paint(header, payload, type, arrival);
    if (!painted || !record || !isLast) return;
    const measured = painted.paint === null ? null : stagesOf(record, header, arrival.at, painted);
    if (measured) this.#learn(measured.stages, record.hasImage);
    this.page.onPainted(header, measured, record.version);
  }

  #learn(stages, hasImage) {
    if (!hasImage) return; // a change of words travels faster than a sketch
    const { text_encode: text, vae_encode: encode, denoise, vae_decode: decode } = stages;
    const travel = stages.capture + stages.encode + stages.network / 2 + stages.decode;
    this.loop.learn(text + encode + denoise + decode, travel);
  }
}

/** The record of one painted frame: `stages` in ms, their sum, and when it was painted. */
function stagesOf(record, header, receivedAt, painted) {
  const server = header.timings ?? {};
  const of = (name) => server[`${name}_ms`] ?? 0;
  const stages = {
    wait: Math.max(0, record.begun - record.eventAt),
    capture: record.capture ?? 0,
    encode: record.encode ?? 0,
    decode: of("decode"),
    queue_wait: of("queue_wait"),
    text_encode: of("text_encode"),
    vae_encode: of("vae_encode"),
    denoise: of("denoise"),
    vae_decode: of("vae_decode"),
    jpeg: of("encode"),
    unpack: painted.unpack,
    paint: painted.paint,
  };
  const servers = ["decode", "queue_wait", "text_encode", "vae_encode", "denoise", "vae_decode", "jpeg"];
  const onServer = servers.reduce((sum, name) => sum + stages[name], 0);
  stages.network = Math.max(0, receivedAt - record.sentAt - onServer);
  const at = performance.now();
  const ordered = Object.fromEntries(STAGES.map(([name]) => [name, stages[name] ?? 0]));
  return { stages: ordered, total: at - record.eventAt, at, requestId: header.request_id };
}
