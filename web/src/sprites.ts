// Pictures on sprite sheets, as elements (CSS background) and for the canvas.

import { h } from "./dom";
import type { Sprites } from "./schema";

/** A path of the site as a relative address; whatever it holds, it cannot leave for another host. */
export function address(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

export interface Place {
  sheet: number;
  row: number;
  col: number;
  rows: number; // on this sheet
}

export function place(sprites: Sprites, index: number): Place | null {
  if (!Number.isInteger(index) || index < 0 || index >= sprites.count) return null;
  const sheet = Math.floor(index / sprites.per_sheet);
  const within = index % sprites.per_sheet;
  const onSheet = Math.min(sprites.per_sheet, sprites.count - sheet * sprites.per_sheet);
  return {
    sheet,
    row: Math.floor(within / sprites.columns),
    col: within % sprites.columns,
    rows: Math.ceil(onSheet / sprites.columns),
  };
}

const sheets = new Map<string, Promise<HTMLImageElement>>();

/** A picture of the site, loaded once. */
export function loadPicture(path: string): Promise<HTMLImageElement> {
  let promise = sheets.get(path);
  if (!promise) {
    promise = new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => {
        sheets.delete(path);
        reject(new Error(path));
      };
      image.src = address(path);
    });
    sheets.set(path, promise);
  }
  return promise;
}

/** One sprite as an element that scales with its box; says so when its sheet is missing. */
export function sprite(sprites: Sprites, index: number, alt: string, className = ""): HTMLElement {
  const element = h("span", {
    class: `sprite ${className}`,
    ...(alt ? { role: "img", "aria-label": alt } : { "aria-hidden": "true" }),
  });
  const at = place(sprites, index);
  const path = at ? sprites.sheets[at.sheet] : undefined;
  if (!at || path === undefined) {
    lost(element);
    return element;
  }
  const percent = (i: number, n: number) => (n > 1 ? (100 * i) / (n - 1) : 0);
  element.style.backgroundImage = `url("${address(path)}")`;
  element.style.backgroundSize = `${100 * sprites.columns}% ${100 * at.rows}%`;
  element.style.backgroundPosition = `${percent(at.col, sprites.columns)}% ${percent(at.row, at.rows)}%`;
  loadPicture(path).catch(() => lost(element));
  return element;
}

function lost(element: HTMLElement): void {
  element.classList.add("lost");
  element.textContent = "picture missing";
}
