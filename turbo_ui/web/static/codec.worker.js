// Sketches as bytes: a JPEG, or what changed since the one before. Runs beside the page's thread.

const BYTES_PX = 4;
const WHITE = 0xffffffff; // the sheet before the first patch, as the protocol has it

let canvas = null; // drawn on again and again: a new one for each sketch costs more than the drawing
let context = null;
let last = null; // the sheet as it was last encoded, a pixel a number; null before the first

/** A JPEG of an ImageBitmap `ink` on `paper` of one colour. */
export async function jpegOf(task) {
  const sheet = new OffscreenCanvas(task.ink.width, task.ink.height);
  lay(sheet.getContext("2d", { alpha: false }), task);
  const blob = await sheet.convertToBlob({ type: "image/jpeg", quality: task.quality });
  return blob.arrayBuffer();
}

/** The smallest rectangle that holds all that changed: { bytes, patch }. The first is against white paper. */
export async function patchOf(task) {
  const { isFirst } = task;
  const image = read(task);
  const pixels = new Uint32Array(image.data.buffer);
  if (isFirst || last?.length !== pixels.length) last = new Uint32Array(pixels.length).fill(WHITE);
  const { left, top, width, height } = changed(last, pixels, image.width);
  last = pixels;
  const patch = { sheet: [image.width, image.height], at: [left, top], size: [width, height], is_first: isFirst };
  const bytes = width ? await deflated(cut(image, left, top, width, height)) : new ArrayBuffer(0);
  return { bytes, patch };
}

function read(task) {
  const { width, height } = task.ink;
  if (canvas?.width !== width || canvas?.height !== height) {
    canvas = new OffscreenCanvas(width, height);
    context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  }
  lay(context, task);
  return context.getImageData(0, 0, width, height);
}

/** Ink on paper. */
function lay(context, { ink, paper }) {
  context.fillStyle = paper;
  context.fillRect(0, 0, ink.width, ink.height);
  context.drawImage(ink, 0, 0);
  ink.close();
}

/** Where two sheets of `width` differ: { left, top, width, height }, all 0 where they do not. */
function changed(before, after, width) {
  let first = 0;
  while (first < after.length && before[first] === after[first]) first += 1;
  if (first === after.length) return { left: 0, top: 0, width: 0, height: 0 };
  let end = after.length - 1;
  while (before[end] === after[end]) end -= 1;
  const top = Math.floor(first / width);
  const bottom = Math.floor(end / width);
  let left = width - 1;
  let right = 0;
  for (let y = top; y <= bottom; y += 1) {
    const row = y * width;
    let x = 0;
    while (x < left && before[row + x] === after[row + x]) x += 1;
    left = Math.min(left, x);
    x = width - 1;
    while (x > right && before[row + x] === after[row + x]) x -= 1;
    right = Math.max(right, x);
  }
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** The RGB bytes of a rectangle, row by row. */
function cut({ data, width: stride }, left, top, width, height) {
  const bytes = new Uint8Array(width * height * 3);
  let to = 0;
  for (let y = top; y < top + height; y += 1) {
    let from = (y * stride + left) * BYTES_PX;
    for (const end = from + width * BYTES_PX; from < end; from += BYTES_PX) {
      bytes[to] = data[from];
      bytes[to + 1] = data[from + 1];
      bytes[to + 2] = data[from + 2];
      to += 3;
    }
  }
  return bytes;
}

/** A zlib stream. Written by hand into the stream: through a Blob it took 3 ms longer. */
function deflated(bytes) {
  const stream = new CompressionStream("deflate");
  const writer = stream.writable.getWriter();
  writer.write(bytes);
  writer.close();
  return new Response(stream.readable).arrayBuffer();
}
