// What a model was taught: a dialog of the words that it knows, each of which is one click from the prompt.

import { closeLikeASheet } from "./dialog.js";
import { put } from "./text.js";

/**
 * `onPick(word, others)` is called with a word that was clicked. `others` are the words of its group where it belongs
 * behind what the prompt says, such as a place; null where it stands for itself. `onError(text)` is told why the list
 * cannot be shown.
 */
export class Words {
  constructor(dialog, { onPick, onError }) {
    Object.assign(this, { dialog, onPick, onError });
    this.list = dialog.querySelector("[data-groups]");
    this.groups = [];
    this.find = dialog.querySelector("[data-find]");
    this.find.addEventListener("input", () => this.#filter());
    this.none = dialog.querySelector("[data-none]");
    closeLikeASheet(dialog);
    this.list.addEventListener("click", ({ target }) => {
      const word = target.closest("[data-word]")?.dataset;
      if (!word) return;
      dialog.close();
      const { words, is_added: isAdded } = this.groups[Number(word.group)];
      this.onPick(word.word, isAdded ? words : null);
    });
  }

  /** Opens it for a model with a list, [{ title, words, is_added }] at its `words_url`; once for each wish. */
  async show(model) {
    if (this.isComing || this.dialog.open) return;
    this.isComing = true;
    try {
      if (this.shown !== model.words_url) await this.#load(model);
      this.find.value = "";
      this.#filter();
      this.dialog.showModal();
    } catch (error) {
      this.onError(`What ${model.title} knows could not be loaded (${error.message}).`);
    } finally {
      this.isComing = false;
    }
  }

  async #load(model) {
    const answer = await fetch(model.words_url);
    if (!answer.ok) throw new Error(answer.status);
    this.groups = await answer.json();
    put(this.dialog.querySelector("[data-title]"), `What ${model.title} knows`);
    this.list.replaceChildren(...this.groups.map(section));
    this.shown = model.words_url;
  }

  /** Leaves those whose beginnings are what was typed, of any of their words. */
  #filter() {
    const written = this.find.value.trim();
    const typed = written.toLowerCase();
    for (const section of this.list.children) {
      const words = [...section.querySelectorAll("[data-word]")];
      for (const word of words) word.hidden = !` ${word.dataset.word.toLowerCase()}`.includes(` ${typed}`);
      section.hidden = words.every(({ hidden }) => hidden);
    }
    const isFound = !typed || [...this.list.children].some(({ hidden }) => !hidden);
    put(this.none, isFound ? "" : `Nothing here begins with “${written}”.`);
  }
}

/** A prompt with a word behind it: "a cat" with "on grass". Another word of its kind that is there already goes. */
export function behind(prompt, word, others) {
  let said = prompt.replace(/[\s,.;]+$/, "");
  const last = others.find((other) => said === other || said.endsWith(` ${other}`));
  if (last) said = said.slice(0, said.length - last.length).replace(/[\s,]+$/, "");
  if (!said) return word;
  return /^(at|in|on) /.test(word) ? `${said} ${word}` : `${said}, ${word}`;
}

function section({ title, words }, index) {
  const element = document.createElement("section");
  element.setAttribute("aria-label", title);
  const heading = document.createElement("h3");
  heading.textContent = title;
  element.append(heading);
  for (const word of words) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "word";
    button.dataset.word = button.textContent = word;
    button.dataset.group = index;
    element.append(button, " ");
  }
  return element;
}
