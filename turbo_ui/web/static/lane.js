// The live lane: one WebSocket, kept open; reconnects with back-off and says where it stands.

import { here } from "./clock.js";
import { ask, DistantSocket } from "./courier.js";
import { read, write } from "./shelf.js";
import { pack } from "./wire.js";

const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 5000;
const PATIENCE_MS = 20000; // the server is asked for a sign of life after half of this
const TOKEN = "turbo-ui/token";

/**
 * Calls `onState("open" | "closed", code)` and `onMessage(header, payload, { at, image })`: when it came, and its
 * picture on the way. `send` tells whether it was handed on: where the lane has closed since, it is dropped.
 */
export class Lane {
  constructor(url, page, { onMessage, onState }) {
    this.url = url;
    this.page = page;
    this.onMessage = onMessage;
    this.onState = onState;
    this.failures = 0;
    this.hasEverOpened = false;
    this.bytesSent = 0;
    this.bytesReceived = 0;
    window.addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
    setInterval(() => this.#checkLife(), PATIENCE_MS / 4);
    this.#connect();
  }

  get isOpen() {
    return this.isWelcome && this.socket.readyState === WebSocket.OPEN;
  }

  send(header, payload) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    const message = pack(header, payload);
    this.bytesSent += message.byteLength;
    this.socket.send(message);
    return true;
  }

  /** Sends what changed on the sheet; resolves to { isSent, encodedAt, sentAt }. Takes the bitmap over. */
  async sendSketch(header, { ink, paper, isFirst }) {
    const { turn } = this.socket;
    const answer = await ask("sketch", { turn, header, ink, paper, isFirst }, [ink]);
    if (answer.isSent) this.bytesSent += answer.size;
    return { isSent: answer.isSent, encodedAt: here(answer.encodedAt), sentAt: here(answer.sentAt) };
  }

  #connect() {
    clearTimeout(this.timer);
    this.isWelcome = false;
    const socket = new DistantSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      this.heardAt = performance.now();
      this.send({ kind: "hello", protocol: 1, page: this.page, token: read(TOKEN, sessionStorage) });
    };
    socket.onmessage = (message) => this.#receive(message);
    socket.onclose = ({ code }) => socket === this.socket && this.#closed(code);
  }

  #receive({ header, payload, size, at, image }) {
    this.heardAt = performance.now();
    this.bytesReceived += size;
    if (header.kind === "welcome") {
      write(TOKEN, header.token, sessionStorage);
      this.isWelcome = this.hasEverOpened = true;
      this.failures = 0;
    }
    this.onMessage(header, payload, { at, image });
    if (header.kind === "welcome") this.onState("open");
  }

  #closed(code) {
    this.isWelcome = false;
    this.failures += 1;
    const delay = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.failures - 1));
    // a spread, so that all pages do not come back in the same instant after a restart
    this.timer = setTimeout(() => this.#connect(), delay * (0.75 + Math.random() / 2));
    this.onState("closed", code);
  }

  #hurry() {
    if (this.socket.readyState === WebSocket.CLOSED) this.#connect();
  }

  #checkLife() {
    if (!this.isWelcome) return;
    const silence = performance.now() - this.heardAt;
    if (silence > PATIENCE_MS) {
      // a dead network never answers the closing handshake: do not wait for it
      this.socket.onclose = null;
      this.socket.close();
      this.#closed(1006);
    } else if (silence > PATIENCE_MS / 2) this.send({ kind: "ping", at: performance.now() });
  }
}
