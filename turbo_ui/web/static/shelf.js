// What this browser keeps: the board, the prompt and the settings of each tab, in localStorage.
//
// A tab has an id in its sessionStorage, which survives a reload. A duplicated tab inherits the id; it
// notices that the original is alive and takes a new one, starting from a copy of the board.

const PREFIX = "turbo-ui/board/";
const LAST = "turbo-ui/last";
const TAB = "turbo-ui/tab";
const MAX_BOARDS = 8;

/** Local storage for one tab. Nothing here throws: a browser that keeps nothing still draws. */
export class Shelf {
  constructor() {
    this.page = crypto.getRandomValues(new Uint32Array(4)).join("-");
    this.tab = read(TAB, sessionStorage);
    this.source = this.tab ?? read(LAST);
    if (!this.tab) this.#takeNewTab();
    this.isFull = false;
    this.#watchForDuplicates();
  }

  /** What was kept for this tab, or by the tab used last; null on a first visit. */
  load() {
    return this.source ? this.#parsed(PREFIX + this.source) : null;
  }

  /** Keeps a JSON-ready state; `slim()` gives one without history for when the browser is full. */
  save(state, slim) {
    const key = PREFIX + this.tab;
    for (const attempt of [() => state, slim]) {
      for (let tries = 0; tries < MAX_BOARDS; tries += 1) {
        try {
          localStorage.setItem(key, JSON.stringify({ savedAt: Date.now(), ...attempt() }));
          localStorage.setItem(LAST, this.tab);
          this.#dropOldest(MAX_BOARDS);
          this.isFull = false;
          return true;
        } catch {
          if (!this.#dropOldest(1)) break;
        }
      }
    }
    this.isFull = true;
    return false;
  }

  #takeNewTab() {
    this.tab = crypto.getRandomValues(new Uint32Array(2)).join("-");
    write(TAB, this.tab, sessionStorage);
  }

  #watchForDuplicates() {
    if (!("BroadcastChannel" in window)) return;
    const channel = new BroadcastChannel("turbo-ui");
    channel.onmessage = ({ data }) => {
      if (data.tab !== this.tab || data.page === this.page) return;
      if (data.kind === "here?") channel.postMessage({ kind: "taken", tab: this.tab, page: this.page, to: data.page });
      if (data.kind === "taken" && data.to === this.page) this.#takeNewTab();
    };
    channel.postMessage({ kind: "here?", tab: this.tab, page: this.page });
  }

  /** Removes the oldest boards of other tabs until `keep` are left; true if any went. */
  #dropOldest(keep) {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX) && key !== PREFIX + this.tab);
    const age = (key) => this.#parsed(key)?.savedAt ?? 0;
    if (keys.length < keep) return false;
    const oldest = keys.sort((a, b) => age(a) - age(b))[0];
    if (oldest) localStorage.removeItem(oldest);
    return Boolean(oldest);
  }

  #parsed(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  }
}

/** An entry of the browser's storage; null where it has none or allows none. */
export function read(key, storage) {
  try {
    return (storage ?? localStorage).getItem(key);
  } catch {
    return null;
  }
}

/** Keeps an entry where the browser allows it. */
export function write(key, value, storage) {
  try {
    (storage ?? localStorage).setItem(key, value);
  } catch {
    // private windows may keep nothing; the page works all the same
  }
}
