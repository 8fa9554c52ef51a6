// A file to keep: hands bytes to the browser as a download.

import { cutToShown } from "./png.js";

/** Saves the picture that is shown, once it is finished, with the request that made it. */
export async function downloadPicture(picture, session) {
  await picture.landed();
  const { final } = picture;
  const { name, bytes } = await session.savePng(final);
  download(name, await cutToShown(bytes, final.header), "image/png");
}

/** Saves bytes under a name. */
function download(name, bytes, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
