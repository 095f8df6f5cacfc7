// The picture, and over it the cells of one place: pointed at by mouse, finger or arrow keys.

import { h } from "../dom";
import { address, sprite } from "../sprites";
import { describe, heatOf } from "./heat";
import type { Numbers } from "./numbers";
import { around, type Box, boxOf, lay, PICTURE, paintLight } from "./paint";
import type { Picker, Shown } from "./picker";

const DARK = { layer: 0.82, rest: 0.5, photo: 0.8 }; // how dark what has no share becomes

export class Frame {
  readonly element: HTMLElement;
  private readonly frame: HTMLElement;
  private readonly window: Box; // what the frame shows: the picture, and cells that reach beyond it
  private readonly light = h("canvas", { class: "light", "aria-hidden": "true" });
  private readonly ring = h("span", { class: "ring", "aria-hidden": "true" });
  private readonly says = h("span", { class: "says" });
  private cursor: number | null = null;

  constructor(
    private readonly numbers: Numbers,
    private readonly picker: Picker,
    private readonly place: number,
    private readonly announce: (text: string) => void,
  ) {
    const { page } = numbers;
    const name = numbers.placeName(place);
    this.window = place === 0 ? PICTURE : around(boxOf(numbers.place(place)));
    const photo = h("img", { class: "photo", src: address(page.photo), alt: "", draggable: "false" });
    this.frame = h(
      "div",
      {
        class: `frame ${place === 0 ? "of-picture" : "of-layer"}`,
        tabindex: 0,
        role: "application",
        "aria-label": `${place === 0 ? "The picture" : name}: arrow keys go from cell to cell, Enter keeps one`,
        "data-place": place,
        on: {
          pointermove: (event) => event.pointerType === "mouse" && this.look(this.cell(event)),
          pointerleave: (event) => event.pointerType === "mouse" && this.look(null),
          click: (event) => this.hold(this.cell(event)),
          focus: () => this.look(this.cursor),
          blur: () => this.look(null),
          keydown: (event) => this.key(event),
        },
      },
      photo,
      this.icons(),
      this.light,
      this.ring,
    );
    lay(photo, PICTURE, this.window);
    const [top, left, bottom, right] = this.window;
    this.frame.style.aspectRatio = `${page.width * (right - left)} / ${page.height * (bottom - top)}`;
    this.element = h(
      "figure",
      { class: "explain-frame" },
      this.frame,
      h("figcaption", {}, h("b", {}, place === 0 ? "The picture" : name), " ", this.says),
    );
    picker.onChange((shown) => this.update(shown));
  }

  /** One picture a cell, as large as the layer answers there. */
  private icons(): HTMLElement | null {
    const layer = this.numbers.layer(this.place);
    if (!layer?.cells) return null;
    const { cells } = layer;
    const [, cols = 1] = layer.grid;
    const sides = this.numbers.of(layer.sides).flatMap((row) => [...row]);
    const icons = sides.map((side, i) => {
      const icon = sprite(cells, i, "");
      icon.style.transform = `scale(${side.toFixed(3)})`;
      return icon;
    });
    const element = h("div", { class: "cell-icons", "aria-hidden": "true" }, ...icons);
    element.style.gridTemplateColumns = `repeat(${cols}, 1fr)`;
    lay(element, boxOf(this.numbers.place(this.place)), this.window);
    return element;
  }

  private cell(event: MouseEvent): number {
    const box = this.frame.getBoundingClientRect();
    const [top, left, bottom, right] = this.window;
    const [down, across] = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
    return this.numbers.cellAt(this.place, top + down * (bottom - top), left + across * (right - left));
  }

  private look(index: number | null): void {
    this.cursor = index ?? this.cursor;
    this.picker.look(index === null ? null : { kind: "cell", place: this.place, index });
  }

  private hold(index: number): void {
    this.cursor = index;
    this.picker.hold({ kind: "cell", place: this.place, index });
  }

  private key(event: KeyboardEvent): void {
    const { rows, cols } = this.numbers.place(this.place);
    const steps: Record<string, [number, number]> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[event.key];
    const at =
      this.cursor ?? (this.place === 0 ? Math.floor(rows / 2) * cols + Math.floor(cols / 2) : this.numbers.strongest(this.place));
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (step) {
      const clamp = (value: number, count: number) => Math.max(0, Math.min(count - 1, value));
      const next =
        this.cursor === null ? at : clamp(Math.floor(at / cols) + step[0], rows) * cols + clamp((at % cols) + step[1], cols);
      this.look(next);
      this.announce(describe(this.numbers, { kind: "cell", place: this.place, index: next }));
    } else if (event.key === "Enter" || event.key === " ") this.hold(at);
    else return;
    event.preventDefault();
  }

  private update(shown: Shown): void {
    const { choice } = shown;
    const heat = heatOf(this.numbers, shown, this.place);
    this.light.hidden = heat === null;
    if (heat) {
      const place = this.numbers.place(heat.place);
      lay(this.light, boxOf(place), this.window);
      paintLight(
        this.light,
        heat.values,
        place.rows,
        place.cols,
        choice === null ? DARK.rest : this.place === 0 ? DARK.photo : DARK.layer,
      );
    }
    const own = choice?.kind === "cell" && choice.place === this.place;
    this.says.textContent = own ? "the chosen cell" : (heat?.text ?? "");
    this.encircle(shown);
  }

  /** The chosen cell, or the one of this place that lies where it does. */
  private encircle({ choice, pinned }: Shown): void {
    this.ring.hidden = choice?.kind !== "cell";
    if (choice?.kind !== "cell") return;
    const own = choice.place === this.place;
    const index = own ? choice.index : this.numbers.cellAt(this.place, ...this.numbers.middle(choice.place, choice.index));
    lay(this.ring, this.numbers.cellBox(this.place, index), this.window);
    this.ring.classList.toggle("own", own);
    this.ring.classList.toggle("pinned", own && pinned);
  }
}
