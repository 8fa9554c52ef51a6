// The board's tools: brush and eraser, colours, width, undo, redo, clear; by pointer and by keyboard.

const COLORS = [
  ["#1b1b1f", "Ink"],
  ["#8a8f98", "Grey"],
  ["#ffffff", "White"],
  ["#e5484d", "Red"],
  ["#f5871f", "Orange"],
  ["#ffcc33", "Yellow"],
  ["#46a758", "Green"],
  ["#3b9eff", "Blue"],
  ["#8e5bd9", "Purple"],
  ["#8d5a3a", "Brown"],
];
const MIN_WIDTH = 2;
const MAX_WIDTH = 64;

/** Connects the toolbar's elements with a board. */
export class Toolbar {
  constructor(root, board) {
    this.root = root;
    this.board = board;
    this.width = root.querySelector("[data-width]");
    this.custom = root.querySelector("[data-custom-color]");
    this.#addSwatches(root.querySelector("[data-swatches]"));
    this.#listen();
    this.#show();
  }

  /** Greys out what cannot be done now. */
  update(documentNow) {
    const can = { undo: documentNow.canUndo, redo: documentNow.canRedo, clear: !documentNow.isEmpty };
    const focused = document.activeElement;
    for (const [action, isPossible] of Object.entries(can)) {
      this.root.querySelector(`[data-do="${action}"]`).disabled = !isPossible;
    }
    // who goes by keyboard is not thrown off the tools when a button has done all it could
    if (!focused?.disabled || !this.root.contains(focused)) return;
    this.root.querySelector("[data-tool][aria-pressed=true]").focus(); // where a key too many does no harm
  }

  restore(tool) {
    if (!tool) return;
    this.board.choose(tool);
    this.#show();
  }

  #addSwatches(host) {
    for (const [color, name] of COLORS) {
      const swatch = document.createElement("button");
      swatch.type = "button";
      swatch.className = "swatch";
      swatch.dataset.color = color;
      swatch.title = name;
      swatch.setAttribute("aria-label", `${name} brush`);
      swatch.style.setProperty("--swatch", color);
      host.insertBefore(swatch, host.lastElementChild);
    }
  }

  #listen() {
    this.root.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (!button) return;
      const { tool, color } = button.dataset;
      if (tool) this.#choose({ tool });
      if (color) this.#choose({ tool: "brush", color });
      if (button.dataset.do) this.board[button.dataset.do]();
    });
    this.width.addEventListener("input", () => this.#choose({ width: Number(this.width.value) }));
    this.custom.addEventListener("input", () => this.#choose({ tool: "brush", color: this.custom.value }));
    window.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #choose(change) {
    this.board.choose(change);
    this.#show();
    this.board.onSettled();
  }

  #onKey(event) {
    const isTyping = event.target.closest?.("input:not([type=range]), textarea, select, [contenteditable=true]");
    if (isTyping || event.altKey || event.target.closest?.("dialog")) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key === "z") this.board[event.shiftKey ? "redo" : "undo"]();
      else if (key === "y") this.board.redo();
      else return;
    } else if (key === "b") this.#choose({ tool: "brush" });
    else if (key === "e") this.#choose({ tool: "eraser" });
    else if (key === "[") this.#widen(1 / 1.25);
    else if (key === "]") this.#widen(1.25);
    else return;
    event.preventDefault();
  }

  #widen(factor) {
    const next = Math.round(this.board.tool.width * factor + (factor > 1 ? 0.5 : -0.5));
    this.#choose({ width: Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, next)) });
  }

  #show() {
    const { tool, color, width } = this.board.tool;
    for (const button of this.root.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    }
    let isSwatch = false;
    for (const swatch of this.root.querySelectorAll(".swatch[data-color]")) {
      const isChosen = tool === "brush" && swatch.dataset.color === color;
      isSwatch ||= isChosen;
      swatch.setAttribute("aria-pressed", String(isChosen));
    }
    const custom = this.custom.parentElement;
    custom.style.setProperty("--swatch", color);
    custom.classList.toggle("is-chosen", tool === "brush" && !isSwatch);
    this.width.value = String(width);
    this.width.style.setProperty("--share", `${(100 * (width - MIN_WIDTH)) / (MAX_WIDTH - MIN_WIDTH)}%`);
    this.root.style.setProperty("--brush-width", `${Math.max(3, Math.min(26, width * 0.55))}px`);
    this.root.style.setProperty("--brush-color", tool === "eraser" ? "transparent" : color);
  }
}
