// The page's end of the lane's worker: a socket that lives there, and what is asked of it.

import { here } from "./clock.js";

// begun with the page's first module: when the page is put together the worker is there
const worker = new Worker(new URL("./lane.worker.js", import.meta.url), { type: "module" });
const waiting = new Map(); // answers that are to come
const arriving = new Map(); // pictures that are being unpacked
let nextId = 1;
let socket = null; // the newest

/** Asks the worker for something; resolves to its answer. */
export function ask(name, task, transfer = []) {
  const id = nextId++;
  const answer = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  worker.postMessage({ name, id, ...task }, transfer);
  return answer;
}

/** As much of a WebSocket as the lane needs; the newest takes the place of the one before. */
export class DistantSocket {
  static #numTurns = 0;

  onopen = null;
  onmessage = null; // ({ header, payload, size, at, image }): `image` resolves to { image, unpackedAt } or is null
  onclose = null;
  readyState = WebSocket.CONNECTING;
  turn = (DistantSocket.#numTurns += 1);

  constructor(url) {
    socket = this;
    worker.postMessage({ name: "connect", turn: this.turn, url: String(url) });
  }

  send(message) {
    worker.postMessage({ name: "send", message }, [message]);
  }

  close() {
    if (socket === this) worker.postMessage({ name: "close" });
    this.readyState = WebSocket.CLOSED;
  }
}

/** Takes care of a picture that nobody wants to see. */
export function discard(image) {
  image?.then(
    ({ image }) => image.close(),
    () => {},
  );
}

const EVENTS = {
  open() {
    socket.readyState = WebSocket.OPEN;
    socket.onopen?.();
  },

  close({ code }) {
    socket.readyState = WebSocket.CLOSED;
    socket.onclose?.({ code });
  },

  message({ imageId, at, ...message }) {
    const image = imageId && new Promise((resolve, reject) => arriving.set(imageId, { resolve, reject }));
    if (socket.onmessage) socket.onmessage({ ...message, at: here(at), image });
    else discard(image);
  },
};

worker.onmessage = ({ data: { event, turn, id, ...data } }) => {
  if (event === undefined) settle(waiting, id, data);
  else if (event === "image") settle(arriving, data.imageId, { ...data, unpackedAt: here(data.unpackedAt) });
  else if (turn === socket?.turn) EVENTS[event](data);
};

function settle(entries, id, answer) {
  const entry = entries.get(id);
  entries.delete(id);
  if (!entry) answer.image?.close(); // of a connection that is gone
  else if (answer.error) entry.reject(new Error(answer.error));
  else entry.resolve(answer);
}
