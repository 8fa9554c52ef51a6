// The latency strip: where the last frame's time went, the last 120 frames, and the counters.

import { MAX_RECORDS, STAGES } from "./meter.js";
import { put } from "./text.js";

const REDRAW_MS = 200; // numbers that change faster cannot be read, and drawing takes time from the frames
const MIN_SCALE_MS = 60;

/** Shows a Meter; `counters()` gives { superseded, numSessions }. */
export class LatencyStrip {
  constructor(root, meter, counters) {
    this.root = root;
    this.meter = meter;
    this.counters = counters;
    this.bars = root.querySelector("[data-waterfall]");
    this.spark = root.querySelector("[data-spark]");
    this.scale = MIN_SCALE_MS;
    this.#addBars();
    this.drawnFrames = -1;
    // asked for once, and not at each redrawing, where it would have the page laid out in between
    new ResizeObserver(() => this.#measure()).observe(this.spark);
    new MutationObserver(() => this.#measure()).observe(document.body, { attributeFilter: ["class"] });
    setInterval(() => this.#show(), REDRAW_MS);
  }

  #addBars() {
    this.segments = STAGES.map(([name, where, help]) => {
      const bar = document.createElement("span");
      bar.className = `stage stage-${where}`;
      bar.dataset.stage = name;
      bar.title = help;
      this.bars.append(bar);
      return bar;
    });
  }

  #measure() {
    this.drawnFrames = -1;
    this.ratio = window.devicePixelRatio || 1;
    this.spark.width = this.spark.clientWidth * this.ratio;
    this.spark.height = this.spark.clientHeight * this.ratio;
    this.color = getComputedStyle(this.spark).color;
  }

  #put(name, text) {
    put(this.root.querySelector(`[data-value="${name}"]`), text);
  }

  #show() {
    const { meter } = this;
    const now = performance.now();
    const { superseded, numSessions } = this.counters();
    this.#put("fps", meter.fps(now).toFixed(meter.fps(now) < 10 ? 1 : 0));
    this.#put("superseded", String(superseded));
    this.#put("people", numSessions > 1 ? `${numSessions} people share this device` : "device all yours");
    if (meter.frames === this.drawnFrames) return;
    this.drawnFrames = meter.frames;
    const { last } = meter;
    if (!last) return;
    this.#put("last", ms(last.total));
    this.#put("unit", "ms stroke to pixel");
    this.#put("p50", `${ms(meter.percentile(0.5))} ms`);
    this.#put("p95", `${ms(meter.percentile(0.95))} ms`);
    for (const [where, sum] of Object.entries(sums(last.stages))) this.#put(where, ms(sum));
    this.#showWaterfall(last);
    this.#showSpark();
  }

  #showWaterfall(last) {
    // the scale follows slowly, so that bars of successive frames can be compared
    this.scale = Math.max(MIN_SCALE_MS, last.total, this.scale * 0.97);
    STAGES.forEach(([name, , help], index) => {
      const value = last.stages[name] ?? 0;
      this.segments[index].style.width = `${(100 * value) / this.scale}%`;
      this.segments[index].title = `${label(name)} ${ms(value)} ms. ${help}`;
    });
  }

  #showSpark() {
    const { width, height } = this.spark;
    const context = this.spark.getContext("2d");
    context.clearRect(0, 0, width, height);
    const values = this.meter.records.map((record) => record.total);
    const top = Math.max(MIN_SCALE_MS, ...values);
    const step = width / MAX_RECORDS;
    context.beginPath();
    values.forEach((value, index) => {
      const tall = Math.max(this.ratio, (value / top) * height);
      context.rect((MAX_RECORDS - values.length + index) * step, height - tall, Math.max(1, step * 0.7), tall);
    });
    context.fillStyle = this.color;
    context.fill();
  }
}

/** What browser, network, server and model took of one frame. */
function sums(stages) {
  const of = { client: 0, network: 0, server: 0, model: 0 };
  for (const [name, where] of STAGES) of[where] += stages[name] ?? 0;
  return of;
}

function label(name) {
  return name.replaceAll("_", " ");
}

function ms(value) {
  return value < 10 ? value.toFixed(1) : Math.round(value).toString();
}
