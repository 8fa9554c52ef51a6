// The page's end of the lane's worker: a socket that lives there, and what is asked of it.

import { here } from "./clock.js";

let worker = null;
const waiting = new Map(); // answers that are to come
const arriving = new Map(); // pictures that are being unpacked
let nextId = 1;
let socket = null; // the newest

/** Asks the worker for something; resolves to its answer. */
export function ask(name, task, transfer = []) {
  const id = nextId++;
  const answer = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  post({ name, id, ...task }, transfer);
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
    post({ name: "connect", turn: this.turn, url: String(url) });
  }

  send(message) {
    post({ name: "send", message }, [message]);
  }

  close() {
    if (socket === this) post({ name: "close" });
    this.onopen = this.onmessage = this.onclose = null;
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

function post(task, transfer = []) {
  if (!worker) begin();
  worker.postMessage(task, transfer);
}

function begin() {
  worker = new Worker(new URL("./lane.worker.js", import.meta.url), { type: "module" });
  worker.onmessage = hear;
  // what goes wrong inside comes as an ErrorEvent and the worker lives on; without its files there is none
  worker.onerror = (event) => event instanceof ErrorEvent || lost();
}

/** The lane's own back-off tries again, and with its next connection another worker begins. */
function lost() {
  worker = null;
  for (const { reject } of waiting.values()) reject(new Error("The lane's worker could not be loaded."));
  waiting.clear();
  if (socket && socket.readyState !== WebSocket.CLOSED) EVENTS.close({ code: 1006 });
}

function hear({ data: { event, turn, id, ...data } }) {
  if (event === undefined) settle(waiting, id, data);
  else if (event === "image") settle(arriving, data.imageId, { ...data, unpackedAt: here(data.unpackedAt) });
  else if (turn === socket?.turn) EVENTS[event](data);
}

function settle(entries, id, answer) {
  const entry = entries.get(id);
  entries.delete(id);
  if (!entry) answer.image?.close(); // of a connection that is gone
  else if (answer.error) entry.reject(new Error(answer.error));
  else entry.resolve(answer);
}

begin(); // it is loaded while the page is put together; what is asked of it meanwhile waits
