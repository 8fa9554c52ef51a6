// Aspects: the shapes that the board can have, and which part of the endless plane of strokes each shows.

export const BOARD_PX = 512; // the shorter side of the board, whatever the screen or the model
export const SQUARE = "1:1";
export const ASPECTS = [SQUARE, "4:3", "3:4", "3:2", "2:3", "16:9", "9:16"];

const PAPERS = Object.fromEntries(ASPECTS.map((aspect) => [aspect, Object.freeze(paper(ratioOf(aspect)))]));

/** Width by height. */
export function ratioOf(aspect) {
  const [width, height] = aspect.split(":").map(Number);
  return width / height;
}

/**
 * The rectangle { x, y, width, height } that a board shows, in board pixels. All have the square's middle and
 * hold the square whole, so a drawing stays where it is, and none is cut that was made on a square.
 */
export function paperOf(aspect) {
  return PAPERS[aspect];
}

function paper(ratio) {
  const [width, height] = [BOARD_PX * Math.max(1, ratio), BOARD_PX * Math.max(1, 1 / ratio)];
  return { x: (BOARD_PX - width) / 2, y: (BOARD_PX - height) / 2, width, height };
}
