// Groups of neurons: where each is, what it looks for, and what it gives to the classes.

import { h } from "../dom";
import { signed } from "../format";
import type { ExplainLayer } from "../schema";
import { address, sprite } from "../sprites";
import { chooser, rove } from "./chooser";
import { bothWays } from "./classes";
import { percent } from "./heat";
import type { Numbers } from "./numbers";
import { largest } from "./packed";
import { boxOf, hueOf, lay, paintHues, wider } from "./paint";
import type { Picker, Shown } from "./picker";

/** The picture in grey with maps over it, each in its own colour. */
export function hueFigure(numbers: Numbers, place: number): { element: HTMLElement; canvas: HTMLCanvasElement } {
  const canvas = h("canvas", { class: "hues", "aria-hidden": "true" });
  const { rows, cols } = numbers.place(place);
  lay(canvas, wider(boxOf(numbers.place(place)), rows, cols));
  const element = h(
    "div",
    { class: "frame grey" },
    h("img", { class: "photo", src: address(numbers.page.photo), alt: "" }),
    canvas,
  );
  element.style.aspectRatio = `${numbers.page.width} / ${numbers.page.height}`;
  return { element, canvas };
}

export function swatch(index: number, count: number): HTMLElement {
  const element = h("span", { class: "swatch", "aria-hidden": "true" });
  element.style.setProperty("--hue", String(hueOf(index, count)));
  return element;
}

export class Groups {
  readonly element: HTMLElement;
  private readonly canvas: HTMLCanvasElement;
  private readonly rows: { gives: HTMLElement; said: HTMLElement }[] = [];
  private readonly rest = h("p", { class: "facts" });

  constructor(
    private readonly numbers: Numbers,
    private readonly picker: Picker,
    private readonly layer: ExplainLayer,
  ) {
    const { place } = layer;
    const figure = hueFigure(numbers, place);
    this.canvas = figure.canvas;
    this.canvas.dataset.place = String(place);
    figure.element.addEventListener("pointermove", (event) => event.pointerType === "mouse" && picker.look(this.at(event)));
    figure.element.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && picker.look(null));
    figure.element.addEventListener("click", (event) => {
      const group = this.at(event);
      if (group) picker.hold(group);
    });
    const list = h("ul", { class: "group-rows" }, ...layer.groups.map((_, i) => h("li", {}, this.row(i))));
    this.element = h("div", { class: "group-list" }, h("h3", {}, numbers.placeName(place)), figure.element, rove(list), this.rest);
    picker.onChange((shown) => this.update(shown));
  }

  /** The group that answers most where the pointer is. */
  private at(event: MouseEvent): { kind: "group"; place: number; index: number } | null {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const { place } = this.layer;
    const cell = this.numbers.cellAt(place, (event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width);
    const strengths = this.numbers.of(this.layer.group_maps).map((map) => map[cell] ?? 0);
    const most = Math.max(...strengths);
    return most > 0 ? { kind: "group", place, index: strengths.indexOf(most) } : null;
  }

  private row(i: number): HTMLElement {
    const { place, channels, icons, groups } = this.layer;
    const row = { gives: h("span", { class: "gives" }), said: h("span", { class: "value" }) };
    this.rows.push(row);
    return chooser(
      this.picker,
      { kind: "group", place, index: i },
      `Group ${i + 1} of ${this.numbers.placeName(place)}`,
      "group",
      swatch(i, groups.length),
      icons ? sprite(icons, channels.length + i, "") : h("span", { class: "sprite silent" }, `${i + 1}`),
      row.gives,
      row.said,
    );
  }

  private update(shown: Shown): void {
    const { layer, numbers } = this;
    const { rows, cols } = numbers.place(layer.place);
    const { choice } = shown;
    const lit = choice?.kind === "group" && choice.place === layer.place ? choice.index : null;
    paintHues(this.canvas, numbers.of(layer.group_maps), rows, cols, lit);
    const less = (values: number[]) => (values[shown.a] ?? 0) - (shown.b === null ? 0 : (values[shown.b] ?? 0));
    const gives = layer.groups.map((group) => less(group.gives));
    const most = largest(gives) || 1;
    for (const [i, row] of this.rows.entries()) {
      row.gives.replaceChildren(bothWays((gives[i] ?? 0) / most));
      row.said.textContent = signed(gives[i] ?? 0);
    }
    this.rest.textContent = `The groups give back ${percent(layer.explained)} of what the layer answers. Beyond them it gives ${signed(less(layer.rest))}.`;
  }
}
