// What a model was taught: a dialog of the words that it knows, each of which is one click from the prompt.

import { put } from "./text.js";

/**
 * `onPick(word, isAdded)` is called with a word that was clicked: one that is added belongs behind what the prompt
 * says, such as a place; any other stands for itself.
 */
export class Words {
  constructor(dialog, { onPick, onError }) {
    Object.assign(this, { dialog, onPick, onError });
    this.groups = dialog.querySelector("[data-groups]");
    dialog.addEventListener("click", ({ target }) => {
      if (target === dialog || target.closest("[data-close]")) dialog.close();
      const word = target.closest("[data-word]");
      if (!word) return;
      dialog.close();
      this.onPick(word.dataset.word, "isAdded" in word.dataset);
    });
  }

  /** Opens it for a model with a list: [{ title, words, is_added }] at its `words_url`. */
  async show(model) {
    try {
      if (this.shown !== model.words_url) await this.#fill(model);
      this.dialog.showModal();
    } catch (error) {
      this.onError(`What ${model.title} knows could not be loaded (${error.message}).`);
    }
  }

  async #fill(model) {
    const answer = await fetch(model.words_url);
    if (!answer.ok) throw new Error(answer.status);
    const groups = await answer.json();
    put(this.dialog.querySelector("[data-title]"), `What ${model.title} knows`);
    this.groups.replaceChildren(...groups.flatMap((group) => [heading(group), list(group)]));
    this.shown = model.words_url;
  }
}

/** A prompt with a word behind it: "a cat" with "on grass", "a cat on grass" with "night sky". */
export function behind(prompt, word) {
  const said = prompt.trim();
  if (!said) return word;
  return /^(at|in|on) /.test(word) ? `${said} ${word}` : `${said}, ${word}`;
}

function heading({ title }) {
  const element = document.createElement("h3");
  element.textContent = title;
  return element;
}

function list({ words, is_added: isAdded }) {
  const element = document.createElement("p");
  for (const word of words) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "word";
    button.dataset.word = button.textContent = word;
    if (isAdded) button.dataset.isAdded = "";
    element.append(button, " ");
  }
  return element;
}
