// Latency records of the last frames: percentiles, frames per second, the stages. Pure arithmetic.

export const MAX_RECORDS = 120;
const FPS_WINDOW_MS = 2000;

/** The stages of one frame in the order in which they happen, with what each word means. */
export const STAGES = [
  ["wait", "client", "From the newest pen or key event to the moment its sketch was taken: until the server could take one more."],
  ["capture", "client", "Drawing the board at the model's size."],
  ["encode", "client", "Finding what changed on the board and compressing it, in a worker beside the page."],
  ["network", "network", "Travelling to the server and back: the round trip minus all the server's own stages."],
  ["decode", "server", "The server unpacking the sketch."],
  ["queue_wait", "server", "Waiting for the device: for the frame before this one, or for other people's."],
  ["text_encode", "model", "The prompt becoming numbers. 0 while the prompt stays the same."],
  ["vae_encode", "model", "The sketch becoming latents. 0 while the sketch stays the same."],
  ["denoise", "model", "The model itself: the denoising steps."],
  ["vae_decode", "model", "Latents becoming a picture."],
  ["jpeg", "server", "The server compressing the picture."],
  ["unpack", "client", "The browser unpacking the picture."],
  ["paint", "client", "Until the display showed it."],
];

/** Keeps the last MAX_RECORDS frames' records. */
export class Meter {
  constructor() {
    this.records = [];
    this.frames = 0;
  }

  /**
   * `stages` maps stage names to ms, `total` is input event → painted pixel, `at` when it was painted. Null is a
   * frame that was painted in a hidden tab: it does not count.
   */
  add(record) {
    if (record === null) return;
    this.frames += 1;
    this.records.push(record);
    if (this.records.length > MAX_RECORDS) this.records.shift();
  }

  get last() {
    return this.records.at(-1) ?? null;
  }

  percentile(share) {
    return percentile(this.records.map((record) => record.total), share);
  }

  /** Frames painted per second over the last two seconds; 0 when the hand rests. */
  fps(now) {
    const recent = this.records.filter((record) => now - record.at < FPS_WINDOW_MS);
    if (recent.length < 2) return 0;
    return ((recent.length - 1) * 1000) / Math.max(1, recent.at(-1).at - recent[0].at);
  }
}

/** The value below which `share` of the values lie, between the two nearest ranks; null of nothing. */
export function percentile(values, share) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}
