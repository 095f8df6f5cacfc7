// The classes: which one everything is seen for, which one is taken off, and what the choice gives to each.

import { h, svg } from "../dom";
import { number, signed } from "../format";
import { rove } from "./chooser";
import { classText, describe, givenTo, percent } from "./heat";
import type { Numbers } from "./numbers";
import { largest } from "./packed";
import type { Picker, Shown } from "./picker";

/** A bar from the middle, to the right for what is positive. */
export function bothWays(share: number): SVGSVGElement {
  const width = 50 * Math.min(1, Math.abs(share));
  return svg(
    "svg",
    { class: "both-ways", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("line", { x1: 50, y1: 0, x2: 50, y2: 6 }),
    svg("rect", { class: share < 0 ? "against" : "for", x: share < 0 ? 50 - width : 50, y: 1, width, height: 4 }),
  );
}

export class Classes {
  readonly element: HTMLElement;
  private readonly rows: { choose: HTMLElement; less: HTMLElement; gives: HTMLElement }[];
  private readonly about = h("p", { class: "facts gives-of" });

  constructor(
    private readonly numbers: Numbers,
    private readonly picker: Picker,
  ) {
    this.rows = numbers.page.classes.map((_, i) => this.row(i));
    const list = h("ul", { class: "class-rows" }, ...this.rows.map(({ choose, less, gives }) => h("li", {}, choose, less, gives)));
    this.element = h(
      "div",
      { class: "explain-classes" },
      h("h2", { id: "explained-classes" }, "What it says"),
      h(
        "p",
        { class: "note" },
        "Choose a class to see all figures for it; “less” takes another class off, and shows what tells the two apart.",
      ),
      rove(list),
      this.about,
    );
    picker.onChange((shown) => this.update(shown));
  }

  private row(i: number): { choose: HTMLElement; less: HTMLElement; gives: HTMLElement } {
    const { logit, probability } = this.numbers.page.classes[i] ?? { logit: 0, probability: 0 };
    const name = this.numbers.className(i);
    const bar = h("span", { class: "share" });
    bar.style.width = `${100 * probability}%`;
    const choose = h(
      "button",
      {
        type: "button",
        class: "class-choose",
        "aria-pressed": "false",
        on: {
          pointerenter: (event) => event.pointerType === "mouse" && this.picker.lookAtClass(i),
          pointerleave: (event) => event.pointerType === "mouse" && this.picker.lookAtClass(null),
          focus: () => this.picker.lookAtClass(i),
          blur: () => this.picker.lookAtClass(null),
          click: () => this.picker.forClass(i),
        },
      },
      h("span", { class: "name" }, name),
      h("span", { class: "facts" }, `${percent(probability)}, logit ${number(logit)}`),
      bar,
    );
    const less = h(
      "button",
      {
        type: "button",
        class: "class-less",
        "aria-pressed": "false",
        "aria-label": `Less ${name}`,
        on: { click: () => this.picker.less(less.getAttribute("aria-pressed") === "true" ? null : i) },
      },
      "less",
    );
    return { choose, less, gives: h("span", { class: "gives" }) };
  }

  private update(shown: Shown): void {
    const gives = shown.choice && givenTo(this.numbers, shown.choice);
    const most = largest(gives ?? []) || 1;
    for (const [i, row] of this.rows.entries()) {
      row.choose.setAttribute("aria-pressed", String(i === shown.a));
      row.less.setAttribute("aria-pressed", String(i === shown.b));
      row.less.toggleAttribute("disabled", i === shown.a);
      row.gives.replaceChildren(
        ...(gives ? [bothWays((gives[i] ?? 0) / most), h("span", { class: "value" }, signed(gives[i] ?? 0))] : []),
      );
    }
    this.about.textContent =
      shown.choice && gives
        ? `Bars: what ${describe(this.numbers, shown.choice).toLowerCase()} gives to each logit.`
        : `All figures show what speaks for ${classText(this.numbers, shown)}.`;
  }
}
