// Encodes sketches away from the page's thread, so that the pen never waits for an encoder.

/** One sketch in, its JPEG out: { id, bitmap, quality } → { id, bytes, encode_ms } or { id, error }. */
self.onmessage = async ({ data: { id, bitmap, quality } }) => {
  const begun = performance.now();
  try {
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
    bitmap.close();
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality });
    const bytes = await blob.arrayBuffer();
    self.postMessage({ id, bytes, encode_ms: performance.now() - begun }, [bytes]);
  } catch (error) {
    self.postMessage({ id, error: String(error) });
  }
};
