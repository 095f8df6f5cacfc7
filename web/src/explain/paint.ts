// Maps over pictures: what has a share stays lit, what has none lies in the dark, what speaks against is red.

import type { Place } from "../schema";
import { largest } from "./packed";

const CURVE = 0.7; // weak shares stay visible
const AGAINST = [214, 68, 36];

/** Draws a map, a pixel a cell; what reaches `most`, by default its largest absolute value, is fully lit. */
export function paintLight(
  canvas: HTMLCanvasElement,
  values: Float32Array,
  rows: number,
  cols: number,
  dark: number,
  most = largest(values),
): void {
  paint(canvas, rows, cols, (i) => {
    const share = Math.max(-1, Math.min(1, (values[i] ?? 0) / (most || 1)));
    const light = Math.abs(share) ** CURVE;
    if (share >= 0) return [12, 12, 14, dark * (1 - light)];
    const [r = 0, g = 0, b = 0] = AGAINST.map((each) => 12 + light * (each - 12));
    return [r, g, b, dark];
  });
}

/** Draws several maps at once, each in its own hue, `lit` alone where one is; the outermost cells go on for one more, see `wider`. */
export function paintHues(canvas: HTMLCanvasElement, maps: Float32Array[], rows: number, cols: number, lit: number | null): void {
  const tops = maps.map((map) => largest(map) || 1);
  const colours = maps.map((_, i) => rgb(hueOf(i, maps.length)));
  paint(
    canvas,
    rows,
    cols,
    (i) => {
      const shares = maps.map((map, m) => (lit === null || lit === m ? Math.max(0, map[i] ?? 0) / (tops[m] ?? 1) : 0));
      const all = shares.reduce((sum, each) => sum + each, 0);
      const [r, g, b] = [0, 1, 2].map((c) => shares.reduce((sum, each, m) => sum + each * (colours[m]?.[c] ?? 0), 0) / (all || 1));
      return [r ?? 0, g ?? 0, b ?? 0, 0.88 * Math.min(1, Math.max(...shares)) ** CURVE];
    },
    1,
  );
}

/** The box of a map with one cell more on each side: the middles of its cells stop short of the picture's border. */
export function wider([top, left, bottom, right]: Box, rows: number, cols: number): Box {
  const [height, width] = [(bottom - top) / rows, (right - left) / cols];
  return [top - height, left - width, bottom + height, right + width];
}

export function hueOf(index: number, count: number): number {
  return count === 2 ? ([32, 212][index] ?? 0) : (18 + (360 * index) / count) % 360;
}

export type Box = [top: number, left: number, bottom: number, right: number]; // as fractions of the picture

export const PICTURE: Box = [0, 0, 1, 1];

export function boxOf({ box: [top = 0, left = 0, bottom = 1, right = 1] }: Place): Box {
  return [top, left, bottom, right];
}

/** The picture and the cells that reach beyond it. */
export function around([top, left, bottom, right]: Box): Box {
  return [Math.min(0, top), Math.min(0, left), Math.max(1, bottom), Math.max(1, right)];
}

/** Puts an element where a box lies, in a frame that shows another. */
export function lay(element: HTMLElement, [top, left, bottom, right]: Box, frame: Box = PICTURE): void {
  const [height, width] = [frame[2] - frame[0], frame[3] - frame[1]];
  Object.assign(element.style, {
    top: `${(100 * (top - frame[0])) / height}%`,
    left: `${(100 * (left - frame[1])) / width}%`,
    width: `${(100 * (right - left)) / width}%`,
    height: `${(100 * (bottom - top)) / height}%`,
  });
}

function paint(canvas: HTMLCanvasElement, rows: number, cols: number, colour: (i: number) => number[], margin = 0): void {
  canvas.width = cols + 2 * margin;
  canvas.height = rows + 2 * margin;
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(canvas.width, canvas.height);
  const inside = (at: number, count: number) => Math.max(0, Math.min(count - 1, at - margin));
  for (let i = 0; i < canvas.width * canvas.height; i++) {
    const [row, col] = [inside(Math.floor(i / canvas.width), rows), inside(i % canvas.width, cols)];
    const [r = 0, g = 0, b = 0, a = 0] = colour(row * cols + col);
    image.data.set([r, g, b, 255 * a], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

/** A strong colour of a hue, as numbers for a canvas. */
function rgb(hue: number): number[] {
  const at = (n: number) => {
    const k = (n + hue / 30) % 12;
    return 255 * (0.55 - 0.4 * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
  };
  return [at(0), at(8), at(4)];
}
