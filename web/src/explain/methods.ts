// Attributions by the methods that have a name, over the photo, each with what is known of its worth.

import { h } from "../dom";
import { number } from "../format";
import type { MethodCard, Trust } from "../schema";
import { address } from "../sprites";
import { percent } from "./heat";
import type { Numbers } from "./numbers";
import { paintLight } from "./paint";
import type { Picker } from "./picker";

const DARK = 0.86;
const FULL = 0.99; // the quantile of the magnitudes that is fully lit: single pixels would leave the rest in the dark

export function methodsFigure(numbers: Numbers, picker: Picker): HTMLElement {
  return h("div", { class: "method-cards" }, ...numbers.page.methods.map((each) => methodCard(numbers, picker, each)));
}

function methodCard(numbers: Numbers, picker: Picker, method: MethodCard): HTMLElement {
  const { page } = numbers;
  const canvas = h("canvas", { class: "light smooth", "aria-hidden": "true" });
  const frame = h(
    "div",
    { class: "frame" },
    h("img", { class: "photo", src: address(page.photo), alt: `${method.title} over the picture` }),
    canvas,
  );
  frame.style.aspectRatio = `${page.width} / ${page.height}`;
  const of = h("span", { class: "facts" });
  const maps = numbers.of(method.maps);
  const [, rows = 1, cols = 1] = method.maps.shape;
  picker.onChange(({ a }) => {
    const at = maps[a] ? a : 0;
    const map = maps[at] as Float32Array;
    const sizes = map.map(Math.abs).sort();
    paintLight(canvas, map, rows, cols, DARK, sizes[Math.floor(FULL * (sizes.length - 1))]);
    of.textContent = method.by_class
      ? `for ${numbers.className(at)}${at === a ? "" : " (none was made for the other)"}`
      : "for no class";
  });
  return h(
    "figure",
    { class: "method", "data-method": method.name },
    frame,
    h(
      "figcaption",
      {},
      h("h3", {}, method.title),
      of,
      method.layer !== null && h("span", { class: "facts" }, `at ${method.layer}`),
    ),
    method.warning !== null && h("p", { class: "warning", role: "note" }, method.warning),
    method.trust
      ? trustList(method.trust, page.blind)
      : h("p", { class: "facts" }, "Not checked: run with --check to know its worth."),
  );
}

function trustList(trust: Trust, blind: number[] | null): HTMLElement {
  const against = (i: number) => (blind ? ` (random ${number(blind[i] ?? Number.NaN)})` : "");
  const fact = (term: string, value: string, title: string) => [h("dt", { title }, term), h("dd", {}, value)];
  return h(
    "dl",
    { class: "trust" },
    ...fact("Deletion", number(trust.deletion) + against(0), "the probability while what it marks is taken away: less is better"),
    ...fact("Insertion", number(trust.insertion) + against(1), "the probability while what it marks is given back: more is better"),
    ...fact(
      "Half random",
      number(trust.halfway),
      "how alike the map is when the upper half of the network has forgotten: less is better",
    ),
    ...fact("Under noise", number(trust.stability), "how alike the map is under a little noise: 1 is best"),
    ...(trust.completeness === null ? [] : fact("Sum is off by", percent(trust.completeness), "of what it should add up to")),
  );
}
