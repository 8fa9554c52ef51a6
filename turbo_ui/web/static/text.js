// Words on the page.

/** Shows a text, as text and never as HTML; touches nothing where it stands there already. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
