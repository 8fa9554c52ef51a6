// The shape of board and picture on the page: what the layout follows when the board's aspect changes.

import { ratioOf, SQUARE } from "./aspect.js";

let shown = SQUARE; // as the style sheets have it

/**
 * Lays the page out for an aspect, and tells whether it is another one. The box in which it is chosen stays under
 * the hand, where it is in sight.
 */
export function showShape(aspect) {
  if (aspect === shown) return false;
  shown = aspect;
  const box = document.querySelector("#aspect");
  const before = box?.getBoundingClientRect().top ?? -1;
  document.documentElement.style.setProperty("--ratio", ratioOf(aspect));
  if (before >= 0 && before < innerHeight) scrollBy(0, box.getBoundingClientRect().top - before);
  return true;
}
