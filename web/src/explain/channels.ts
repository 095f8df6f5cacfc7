// What single channels of each layer give to the chosen class, taken in three ways.

import { h, replace } from "../dom";
import { number, signed } from "../format";
import { to } from "../route";
import type { ExplainLayer, WayCard } from "../schema";
import { sprite } from "../sprites";
import { chooser, rove } from "./chooser";
import { bothWays } from "./classes";
import { classText, percent } from "./heat";
import type { Numbers } from "./numbers";
import { largest } from "./packed";
import type { Picker, Shown } from "./picker";

const [FOR, AGAINST] = [5, 3]; // channels of each layer
const APART = 0.5; // of the larger: ways that differ by more disagree

/** What a way says of each shown channel, for a class or for the difference of two. */
const given = (way: WayCard, { a, b }: Shown) =>
  (way.gives[a] ?? []).map((value, i) => value - (b === null ? 0 : (way.gives[b]?.[i] ?? 0)));

const less = (values: number[], { a, b }: Shown) => (values[a] ?? 0) - (b === null ? 0 : (values[b] ?? 0));

/** Whether the ways point in different directions, or the two that can add up are far apart. */
export function disagree(values: number[]): boolean {
  const [linear = 0, path = 0] = values;
  const signs = new Set(values.map(Math.sign));
  return signs.size > 1 || Math.abs(linear - path) > APART * Math.max(Math.abs(linear), Math.abs(path));
}

export class ChannelList {
  readonly element: HTMLElement;
  private readonly list = h("ul", { class: "channel-rows" });
  private readonly sums = h("p", { class: "facts" });
  private drawn = "";

  constructor(
    private readonly numbers: Numbers,
    private readonly picker: Picker,
    private readonly layer: ExplainLayer,
  ) {
    this.element = h("div", { class: "channel-list" }, h("h3", {}, numbers.placeName(layer.place)), this.list, this.sums);
    rove(this.list);
    picker.onChange((shown) => this.update(shown));
  }

  private update(shown: Shown): void {
    const key = `${shown.a} ${shown.b}`;
    if (key === this.drawn) return;
    this.drawn = key;
    const ways = this.layer.ways.map((way) => given(way, shown));
    const by = ways[1] ?? ways[0] ?? []; // the path's channels add up
    const order = [...by.keys()].sort((one, other) => (by[other] ?? 0) - (by[one] ?? 0));
    const best = order.slice(0, FOR).filter((i) => (by[i] ?? 0) > 0);
    const worst = order.slice(-AGAINST).filter((i) => (by[i] ?? 0) < 0);
    const most = Math.max(...ways.map(largest)) || 1;
    replace(
      this.list,
      ...[...best, ...worst].map((i) =>
        h(
          "li",
          {},
          this.row(
            i,
            ways.map((way) => way[i] ?? 0),
            most,
          ),
        ),
      ),
    );
    for (const [i, button] of this.list.querySelectorAll("button").entries()) button.tabIndex = i === 0 ? 0 : -1;
    const apart = [...best, ...worst].filter((i) => disagree(ways.map((way) => way[i] ?? 0))).length;
    const off = (way: WayCard) => Math.abs(less(way.error, shown) / (less(way.gained, shown) || 1));
    const errors = this.layer.ways.slice(0, 2).map((way) => `${percent(Number(off(way).toFixed(4)))} (${way.name})`);
    this.sums.textContent =
      `The whole layer gives ${signed(less(this.layer.ways[0]?.gained ?? [], shown))} to ${classText(this.numbers, shown)}. ` +
      `All its channels together miss that by ${errors.join(", ")}. ` +
      (apart > 0 ? `For ${apart} of ${best.length + worst.length} shown the ways disagree (≠).` : "The ways agree on those shown.");
  }

  private row(i: number, values: number[], most: number): HTMLElement {
    const channel = this.layer.channels[i] ?? -1;
    const apart = disagree(values);
    const said = this.layer.ways.map((way, w) => `${way.name} ${signed(values[w] ?? 0)}`).join(", ");
    const name = `${this.numbers.placeName(this.layer.place)}:${channel}`;
    const button = chooser(
      this.picker,
      { kind: "channel", place: this.layer.place, index: i },
      `Channel ${channel}: ${said}${apart ? "; the ways disagree" : ""}`,
      "channel",
      this.layer.icons ? sprite(this.layer.icons, i, "") : h("span", { class: "sprite silent" }, "–"),
      h("span", { class: "channel-name" }, String(channel), apart && h("b", { title: "the ways disagree" }, " ≠")),
      h("span", { class: "ways" }, ...values.map((value) => bothWays(value / most))),
      h("span", { class: "value" }, number(values[1] ?? values[0] ?? 0)),
    );
    if (!this.layer.linked[i] || this.layer.layer === null) return button;
    const link = h(
      "a",
      { class: "unit-link", href: to.unit(this.layer.layer, channel), "aria-label": `The page of unit ${name}` },
      "→",
    );
    return h("div", { class: "with-link" }, button, link);
  }
}
