// Pictures from bytes, on the page's thread or beside it.

/**
 * Something to draw, to be closed after: a VideoFrame or an ImageBitmap. While a pen moves a bitmap comes
 * 10 ms later than a frame, but the decoder of frames is not in every browser, nor on a page without TLS.
 */
export async function unpacked(bytes, type) {
  if (!globalThis.ImageDecoder) return createImageBitmap(new Blob([bytes], { type }));
  const decoder = new ImageDecoder({ data: bytes, type });
  try {
    return (await decoder.decode()).image;
  } finally {
    decoder.close();
  }
}
