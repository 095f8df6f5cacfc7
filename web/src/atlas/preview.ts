// One level of an atlas as a small still picture.

import * as data from "../data";
import { h } from "../dom";
import type { LevelCard } from "../schema";
import { loadPicture, place } from "../sprites";

export async function levelPreview(layer: string, card: LevelCard, side: number): Promise<HTMLCanvasElement> {
  const level = await data.atlasLevel(layer, card.grid);
  const images = await Promise.all(card.icons.sheets.map((path) => loadPicture(path)));
  const pixels = side * Math.min(2, Math.max(1, devicePixelRatio));
  const canvas = h("canvas", { width: pixels, height: pixels, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const size = pixels / card.grid;
  const { tile } = card.icons;
  for (const [i, cell] of level.cells.entries()) {
    const at = place(card.icons, i);
    const image = at && images[at.sheet];
    if (!image || !context) continue;
    context.drawImage(
      image,
      at.col * tile + 0.5,
      at.row * tile + 0.5,
      tile - 1,
      tile - 1,
      cell.col * size,
      cell.row * size,
      size + 0.5,
      size + 0.5,
    );
  }
  return canvas;
}
