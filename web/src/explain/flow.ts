// What groups of each layer give to those of the next, and at last to the classes, as bands from left to right.

import { h, svg } from "../dom";
import { number } from "../format";
import { sprite } from "../sprites";
import { chooser } from "./chooser";
import { swatch } from "./groups";
import { percent } from "./heat";
import type { Numbers } from "./numbers";
import { total } from "./packed";
import { hueOf } from "./paint";
import type { Choice, Picker, Shown } from "./picker";

const HEIGHT = 380; // pixels of a column
const FILLED = 0.8; // of a node's height, by the widest bundle of bands

interface Band {
  path: SVGPathElement;
  early: Choice;
  late: Choice | number; // a group, or a class
}

export class Flow {
  readonly element: HTMLElement;
  private readonly bands: Band[] = [];
  private readonly ends: HTMLElement[];

  constructor(
    private readonly numbers: Numbers,
    private readonly picker: Picker,
  ) {
    const { page } = numbers;
    this.ends = page.classes.map((_, i) => this.classNode(i));
    const parts = page.layers.flatMap((layer, i) => {
      const nodes = layer.groups.map((_, group) => this.groupNode(layer.place, group));
      const next = page.layers[i + 1];
      const given = next ? (page.flows[i]?.given ?? []) : layer.groups.map((group) => group.gives);
      return [
        this.column(numbers.placeName(layer.place), nodes),
        this.gap(layer.place, given, next ? next.place : null, this.lost(i)),
      ];
    });
    this.element = h(
      "div",
      { class: "flow-scroll", tabindex: 0, role: "group", "aria-label": "How the groups give to each other and to the classes" },
      h("div", { class: "flow" }, ...parts, this.column("classes", this.ends)),
    );
    picker.onChange((shown) => this.update(shown));
  }

  private column(title: string, nodes: HTMLElement[]): HTMLElement {
    const column = h("div", { class: "flow-column" }, ...nodes);
    column.style.height = `${HEIGHT}px`;
    return h("div", { class: "flow-layer" }, h("p", { class: "facts" }, title), column);
  }

  private groupNode(place: number, index: number): HTMLElement {
    const layer = this.numbers.layer(place);
    const count = layer?.groups.length ?? 1;
    const node = chooser(
      this.picker,
      { kind: "group", place, index },
      `Group ${index + 1} of ${this.numbers.placeName(place)}`,
      "flow-node",
      swatch(index, count),
      layer?.icons ? sprite(layer.icons, layer.channels.length + index, "") : h("span", { class: "sprite silent" }, `${index + 1}`),
    );
    node.tabIndex = -1; // the same groups stand above, within reach of the keyboard
    return node;
  }

  private classNode(i: number): HTMLElement {
    return h("span", { class: "flow-node flow-class" }, h("span", {}, this.numbers.className(i)));
  }

  /** How much of what arrives comes from the groups. */
  private lost(i: number): string {
    const flow = this.numbers.page.flows[i];
    if (!flow) return "";
    const all = Math.abs(total(flow.amounts)) || 1;
    const share = (values: number[]) => percent(Number((total(values) / all).toFixed(2)));
    return `from groups ${share(flow.given.flat())}, beyond them ${share(flow.rest)}, constant ${share(flow.constant)}`;
  }

  private gap(place: number, given: number[][], next: number | null, note: string): HTMLElement {
    const [early, late] = [given.length, given[0]?.length ?? 0];
    const out = given.map((row) => total(row.map(Math.abs)));
    const into = Array.from({ length: late }, (_, t) => total(given.map((row) => Math.abs(row[t] ?? 0))));
    const scale = Math.min(
      (FILLED * HEIGHT) / early / (Math.max(...out) || 1),
      (FILLED * HEIGHT) / late / (Math.max(...into) || 1),
    );
    const start = out.map((sum, s) => ((s + 0.5) * HEIGHT) / early - (sum * scale) / 2);
    const end = into.map((sum, t) => ((t + 0.5) * HEIGHT) / late - (sum * scale) / 2);
    const paths = given.flatMap((row, s) =>
      row.flatMap((value, t) => {
        const width = Math.abs(value) * scale;
        const [y1, y2] = [(start[s] ?? 0) + width / 2, (end[t] ?? 0) + width / 2];
        start[s] = (start[s] ?? 0) + width;
        end[t] = (end[t] ?? 0) + width;
        if (width < 0.4) return [];
        const path = this.band(y1, y2, width, value, hueOf(s, early));
        path.append(
          svg(
            "title",
            {},
            `group ${s + 1} gives ${number(value)} to ${next === null ? this.numbers.className(t) : `group ${t + 1}`}`,
          ),
        );
        this.bands.push({
          path,
          early: { kind: "group", place, index: s },
          late: next === null ? t : { kind: "group", place: next, index: t },
        });
        return [path];
      }),
    );
    const figure = svg(
      "svg",
      { viewBox: `0 0 100 ${HEIGHT}`, preserveAspectRatio: "none", height: HEIGHT, "aria-hidden": "true" },
      ...paths,
    );
    return h("div", { class: "flow-gap" }, h("p", { class: "facts" }, "→"), figure, h("p", { class: "facts" }, note));
  }

  private band(y1: number, y2: number, width: number, value: number, hue: number): SVGPathElement {
    const path = svg("path", {
      d: `M0,${y1.toFixed(1)}C50,${y1.toFixed(1)} 50,${y2.toFixed(1)} 100,${y2.toFixed(1)}`,
      class: value < 0 ? "against" : "for",
      "stroke-width": width.toFixed(1),
    });
    path.style.setProperty("--hue", String(hue));
    return path;
  }

  /** The bands of the chosen group stand out, or those to the chosen class. */
  private update({ choice, a, b }: Shown): void {
    const group = choice?.kind === "group" ? choice : null;
    const is = (one: Choice) => group !== null && one.place === group.place && one.index === group.index;
    for (const { path, early, late } of this.bands) {
      const last = typeof late === "number";
      const lit = group ? is(early) || (!last && is(late)) : !last || late === a || late === b;
      path.classList.toggle("dim", !lit);
    }
    for (const [i, node] of this.ends.entries()) node.classList.toggle("lit", i === a || i === b);
  }
}
