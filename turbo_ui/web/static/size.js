// Sizes: what a model draws for a wish, and where in a picture of that size the board lies. Pure arithmetic.

import { paperOf, ratioOf } from "./aspect.js";

const SHAPE_WEIGHT = 4; // a shape that is missed is seen sooner than a size that is
const ALIKE = 1e-9; // sizes that miss a wish equally but for rounding, such as one and the same turned
const LISTED_PX = 64; // sides between its multiples are not worth a place in a list
const STRETCH = 0.08; // so much at most a sketch is stretched to fill a picture whose sides are rounded

/**
 * The [width, height] that comes nearest to an aspect with as many pixels as a square of `side` has: so another
 * shape takes as long to draw and shows as much.
 */
export function sizeFor(model, side, aspect) {
  const ratio = ratioOf(aspect);
  if (model.only_sizes_px) return nearest(model.only_sizes_px, side, ratio);
  // an upright picture is a wide one turned, whatever is rounded
  return ratio < 1 ? wideSize(model, side, 1 / ratio).reverse() : wideSize(model, side, ratio);
}

/** The sides of the squares that a model draws while the hand moves, as far as they are worth a place in a list. */
export function sidesOf({ min_size_px: min, max_size_px: max, size_step_px: step }) {
  const sides = Array.from({ length: Math.floor((max - min) / step) + 1 }, (_, index) => min + index * step);
  return sides.filter((side) => side % LISTED_PX === 0);
}

function wideSize(model, side, ratio) {
  const sizes = [];
  for (let width = model.min_size_px; width <= model.max_size_px; width += model.size_step_px) {
    sizes.push([width, nearestSide(model, width / ratio)]);
  }
  return nearest(sizes, side, ratio);
}

/** The first of the sizes to which none is nearer. */
function nearest(sizes, side, ratio) {
  const miss = ([width, height]) =>
    SHAPE_WEIGHT * missed(width / height, ratio) + missed(width * height, side * side);
  return sizes.reduce((best, size) => (miss(size) < miss(best) - ALIKE ? size : best));
}

/**
 * The part { left, top, width, height } of a picture that is shown, and in which `ratio`. `aspect` is the board's, and
 * cut off is only what the page had put around it, on a sketch of another shape: what a model drew from the prompt
 * alone is shown whole.
 */
export function shownPart({ aspect, request }, width, height) {
  const whole = { left: 0, top: 0, width, height };
  const isFilled = aspect && isFilledBy(aspect, width, height);
  if (isFilled) return { ...whole, ratio: ratioOf(aspect) };
  return aspect && request?.image ? middle(ratioOf(aspect), width, height) : { ...whole, ratio: width / height };
}

function middle(ratio, width, height) {
  const wide = Math.min(width, Math.round(height * ratio));
  const high = Math.min(height, Math.round(width / ratio));
  const [left, top] = [Math.round((width - wide) / 2), Math.round((height - high) / 2)];
  return { left, top, width: wide, height: high, ratio };
}

/** The rectangle of the board's plane that fills a sheet of this size: the paper, grown where the shapes differ. */
export function viewOf(aspect, width, height) {
  const paper = paperOf(aspect);
  if (isFilledBy(aspect, width, height)) return paper;
  const wide = Math.max(paper.width, (paper.height * width) / height);
  const high = Math.max(paper.height, (paper.width * height) / width);
  return { x: paper.x - (wide - paper.width) / 2, y: paper.y - (high - paper.height) / 2, width: wide, height: high };
}

/** What is drawn in place of a wish that a model cannot follow, in words; "" where it can. */
export function limitText({ min_size_px: min, max_size_px: max }, [width, height], side, aspect) {
  const isMissed = !isFilledBy(aspect, width, height) || (min === max && side !== min);
  return isMissed ? `Draws ${width}×${height} only` : "";
}

function isFilledBy(aspect, width, height) {
  return missed(width / height, ratioOf(aspect)) <= STRETCH;
}

function nearestSide({ min_size_px: min, max_size_px: max, size_step_px: step }, side) {
  const held = Math.min(max, Math.max(min, side));
  return Math.min(max, min + Math.round((held - min) / step) * step);
}

/** How far a number is from the wanted one, as a share of it; the same both ways. */
const missed = (number, wanted) => Math.abs(Math.log(number / wanted));
