// What a layer says in one cell: the channels that answer most there, and the classes that it speaks for.

import { h, replace } from "../dom";
import { number, signed } from "../format";
import { sprite } from "../sprites";
import { chooser, rove } from "./chooser";
import type { Numbers } from "./numbers";
import type { Picker, Shown } from "./picker";

export class Words {
  readonly element: HTMLElement;
  private readonly list = h("ul", { class: "words" });
  private readonly title = h("p", { class: "facts" });
  private readonly classes = h("ol", { class: "spoken-for" });
  private cell = -1;

  constructor(
    private readonly numbers: Numbers,
    private readonly picker: Picker,
    private readonly place: number,
  ) {
    this.element = h(
      "div",
      { class: "dictionary" },
      this.title,
      this.list,
      h("p", { class: "facts" }, "Of all classes it speaks most for"),
      this.classes,
    );
    rove(this.list);
    picker.onChange((shown) => this.update(shown));
  }

  /** Of the chosen cell, or of the one that lies where it does; of the last one while something else is chosen. */
  private update({ choice }: Shown): void {
    const pin = choice?.kind === "cell" ? choice : this.picker.pin?.kind === "cell" ? this.picker.pin : null;
    if (pin?.place === this.place) this.show(pin.index);
    else if (pin) this.show(this.numbers.cellAt(this.place, ...this.numbers.middle(pin.place, pin.index)));
    else if (this.cell < 0) this.show(this.numbers.strongest(this.place));
  }

  private show(cell: number): void {
    if (cell === this.cell) return;
    this.cell = cell;
    const layer = this.numbers.layer(this.place);
    const { cols } = this.numbers.place(this.place);
    this.title.textContent = `Row ${Math.floor(cell / cols) + 1}, column ${(cell % cols) + 1} says`;
    const values = layer?.values[cell] ?? [];
    replace(
      this.list,
      ...(layer?.words[cell] ?? []).map((channel, i) => h("li", {}, this.word(channel, values[i] ?? 0, Math.max(...values)))),
    );
    const buttons = this.list.querySelectorAll("button");
    for (const [i, button] of buttons.entries()) button.tabIndex = i === 0 ? 0 : -1;
    const best = (layer?.classes[cell] ?? []).filter((each) => each.value > 0);
    replace(
      this.classes,
      ...(best.length > 0
        ? best.map((each) =>
            h("li", {}, h("span", { class: "name" }, this.numbers.nameOf(each.index)), h("span", {}, signed(each.value))),
          )
        : [h("li", {}, "none")]),
    );
  }

  private word(channel: number, value: number, most: number): HTMLElement {
    const layer = this.numbers.layer(this.place);
    const index = layer?.channels.indexOf(channel) ?? -1;
    const bar = h("span", { class: "word-bar" });
    bar.style.width = `${Math.max(0, (100 * value) / (most || 1))}%`;
    const icon = layer?.icons && index >= 0 ? sprite(layer.icons, index, "") : h("span", { class: "sprite silent" }, "–");
    const inside = [icon, h("span", { class: "word-text" }, h("span", {}, `${channel}`), h("span", {}, number(value)), bar)];
    if (index < 0) return h("span", { class: "word" }, ...inside);
    const label = `Channel ${channel} of ${this.numbers.placeName(this.place)}: ${number(value)}`;
    return chooser(this.picker, { kind: "channel", place: this.place, index }, label, "word", ...inside);
  }
}
