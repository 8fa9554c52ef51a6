// PNG files: cut to a part of their picture, with the words that they hold.

import { shownPart } from "./size.js";

const HEAD_BYTES = 8 + 25; // the signature and the first chunk, which tells the size
const WORDS = ["tEXt", "iTXt", "zTXt"];

/** The PNG of the part of a picture that is shown, by its frame's header; its text chunks go along unchanged. */
export async function cutToShown(bytes, header) {
  const { request } = header;
  const { left, top, width, height } = shownPart(header, request.width, request.height);
  if (width === request.width && height === request.height) return bytes;
  const blob = new Blob([bytes], { type: "image/png" });
  const image = await createImageBitmap(blob, left, top, width, height);
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").drawImage(image, 0, 0);
  image.close();
  const cut = new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
  const words = [...chunks(bytes)].filter(({ name }) => WORDS.includes(name)).map(({ whole }) => whole);
  const all = new Blob([cut.subarray(0, HEAD_BYTES), ...words, cut.subarray(HEAD_BYTES)]);
  return new Uint8Array(await all.arrayBuffer());
}

/** The chunks of a PNG, each with its length and checksum: { name, whole }. */
function* chunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.byteLength; ) {
    const end = at + 12 + view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    yield { name, whole: bytes.subarray(at, end) };
    at = end;
  }
}
