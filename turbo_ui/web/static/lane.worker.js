// The lane beside the page's thread: the socket, sketches on their way out and pictures on their way in. What
// travels does not wait while the page is drawn; the page's thread hears of it when it has time.

import { now } from "./clock.js";
import { jpegOf, patchOf } from "./codec.worker.js";
import { unpacked } from "./pictures.js";
import { pack, unpack } from "./wire.js";

const PICTURES = new Set(["frame", "preview", "refine"]);

let socket = null; // the newest: of older ones nothing is told any more
let turn = 0;
let numReceived = 0;

/** What the page may ask for, by name; `id` comes back with the answer. */
const TASKS = {
  connect(task) {
    close();
    turn = task.turn;
    socket = new WebSocket(task.url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => self.postMessage({ event: "open", turn: task.turn });
    socket.onmessage = ({ data }) => receive(data, task.turn);
    socket.onclose = ({ code }) => self.postMessage({ event: "close", turn: task.turn, code });
  },

  close,

  send({ message }) {
    send(message);
  },

  /** What changed on the sheet goes out as soon as it is known. */
  async sketch(task) {
    const { bytes, patch } = await patchOf(task);
    const encodedAt = now();
    const message = pack({ ...task.header, patch }, bytes);
    const size = message.byteLength;
    const isSent = task.turn === turn && send(message);
    self.postMessage({ id: task.id, isSent, size, encodedAt, sentAt: now() });
  },

  async jpeg(task) {
    const bytes = await jpegOf(task);
    self.postMessage({ id: task.id, bytes }, [bytes]);
  },
};

self.onmessage = async ({ data: { name, ...task } }) => {
  try {
    await TASKS[name](task);
  } catch (error) {
    if (name === "connect") self.postMessage({ event: "close", turn: task.turn, code: 1006 });
    if (task.id === undefined) throw error;
    self.postMessage({ id: task.id, error: String(error) });
  }
};

function close() {
  if (!socket) return;
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close();
  socket = null;
}

function send(message) {
  if (socket?.readyState !== WebSocket.OPEN) return false;
  socket.send(message);
  return true;
}

/** The words go to the page at once, the picture as soon as it is unpacked. */
function receive(buffer, from) {
  const at = now();
  const size = buffer.byteLength;
  const { header, payload } = unpack(buffer);
  const isPicture = PICTURES.has(header.kind) && payload.byteLength > 0;
  const imageId = isPicture ? (numReceived += 1) : null;
  const image = isPicture ? unpacked(payload, "image/jpeg") : null; // takes a copy of the bytes
  self.postMessage({ event: "message", turn: from, header, payload, size, at, imageId }, [buffer]);
  image
    ?.then((image) => self.postMessage({ event: "image", imageId, image, unpackedAt: now() }, [image]))
    .catch((error) => self.postMessage({ event: "image", imageId, error: String(error) }));
}
