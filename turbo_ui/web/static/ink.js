// Draws the board's objects on any 2D context, in board pixels. The stage on screen and the sketch that
// is sent are both drawn by this one function, so they cannot differ.

import { BOARD_PX } from "./aspect.js";
import { getStroke } from "./vendor/perfect-freehand/perfect-freehand.mjs";

const paths = new WeakMap();

/** Draws one object; the context's unit must be one board pixel. What bleeds goes on to the edges of `reach`. */
export function drawObject(context, object, reach) {
  context.save();
  if (object.tool === "eraser") context.globalCompositeOperation = "destination-out";
  context.fillStyle = context.strokeStyle = object.color;
  if (object.pressure === "none") {
    drawEvenLine(context, object, object.bleeds && reach);
  } else {
    context.fill(outlineOf(object));
  }
  context.restore();
}

/** The outline of a pressure stroke as a Path2D; kept for frozen objects, whose points never change. */
export function outlineOf(object) {
  const known = paths.get(object);
  if (known) return known;
  const path = pathThrough(
    getStroke(object.points, {
      size: object.width,
      thinning: object.tool === "eraser" ? 0 : 0.55,
      smoothing: 0.5,
      streamline: 0.35,
      simulatePressure: object.pressure === "simulated",
      last: Object.isFrozen(object),
    }),
  );
  if (Object.isFrozen(object)) paths.set(object, path);
  return path;
}

function drawEvenLine(context, object, reach) {
  const path = new Path2D();
  const [first, ...rest] = reach ? object.points.map((point) => stretchedTo(reach, point)) : object.points;
  if (!first) return;
  path.moveTo(first[0], first[1]);
  // a single point is a dot: a line of no length with round ends
  for (const point of rest.length ? rest : [first]) path.lineTo(point[0], point[1]);
  context.lineWidth = object.width;
  context.lineCap = context.lineJoin = "round";
  if (object.fill) {
    path.closePath();
    context.fill(path);
  }
  context.stroke(path);
}

/** A point at an edge of the square, at that edge of another rectangle. */
function stretchedTo({ x: left, y: top, width, height }, [x, y]) {
  // drawings that were made by hand reach an edge within a pixel
  const along = (at, start, length) => (at <= 1 ? start : at >= BOARD_PX - 2 ? start + length : at);
  return [along(x, left, width), along(y, top, height)];
}

function pathThrough(outline) {
  const path = new Path2D();
  if (outline.length < 3) return path;
  const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const start = middle(outline.at(-1), outline[0]);
  path.moveTo(start[0], start[1]);
  outline.forEach((point, index) => {
    const end = middle(point, outline[(index + 1) % outline.length]);
    path.quadraticCurveTo(point[0], point[1], end[0], end[1]);
  });
  path.closePath();
  return path;
}
