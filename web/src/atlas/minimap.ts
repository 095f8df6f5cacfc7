// The whole atlas in a corner, with the window that is in view; drag to move it.

import { h } from "../dom";
import type { LevelCard } from "../schema";
import type { AtlasMap } from "./map";
import { levelPreview } from "./preview";

export const SIDE = 116;

export class Minimap {
  readonly element: HTMLElement;
  private readonly frame = h("span", { class: "minimap-window" });
  private map: AtlasMap | null = null;

  constructor(layer: string, card: LevelCard) {
    this.element = h("div", { class: "minimap", "aria-hidden": "true" }, this.frame);
    levelPreview(layer, card, SIDE).then(
      (canvas) => this.element.prepend(canvas),
      () => this.element.remove(),
    );
    const move = (event: PointerEvent) => {
      if (event.buttons === 0 || !this.map) return;
      const box = this.element.getBoundingClientRect();
      this.map.go({ x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height, k: this.map.view.k }, 0);
    };
    this.element.addEventListener("pointerdown", (event) => {
      this.element.setPointerCapture(event.pointerId);
      move(event);
    });
    this.element.addEventListener("pointermove", move);
  }

  attach(map: AtlasMap): void {
    this.map = map;
  }

  update(): void {
    if (!this.map) return;
    const view = this.map.window;
    const clamp = (value: number) => Math.min(1, Math.max(0, value));
    const [left, top, right, bottom] = [clamp(view.x), clamp(view.y), clamp(view.x + view.width), clamp(view.y + view.height)];
    const percent = (value: number) => `${(100 * value).toFixed(2)}%`;
    this.frame.style.left = percent(left);
    this.frame.style.top = percent(top);
    this.frame.style.width = percent(right - left);
    this.frame.style.height = percent(bottom - top);
    this.element.classList.toggle("everything", view.width >= 1 && view.height >= 1);
  }
}
