// All classes on one map: a few ways of speaking for classes, and where in each layer they are.

import { h } from "../dom";
import { chooser, rove } from "./chooser";
import { hueFigure, swatch } from "./groups";
import type { Numbers } from "./numbers";
import { paintHues } from "./paint";
import type { Picker } from "./picker";

export function factorsFigure(numbers: Numbers, picker: Picker): HTMLElement {
  const { factors, layers } = numbers.page;
  const figures = layers.map((layer, i) => ({ layer, i, ...hueFigure(numbers, layer.place) }));
  picker.onChange(({ choice }) => {
    for (const { layer, i, canvas } of figures) {
      const { rows, cols } = numbers.place(layer.place);
      const maps = factors.map((factor) =>
        Float32Array.from(factor.maps[i] ? numbers.of(factor.maps[i]).flatMap((row) => [...row]) : []),
      );
      paintHues(canvas, maps, rows, cols, choice?.kind === "factor" ? choice.index : null);
    }
  });
  const legend = h(
    "ul",
    { class: "factor-rows" },
    ...factors.map((factor, index) => {
      const names = factor.classes.map((each) => numbers.nameOf(each.index)).join(", ");
      const choice = { kind: "factor" as const, place: 0, index };
      return h(
        "li",
        {},
        chooser(picker, choice, `Factor ${index + 1}: ${names}`, "factor", swatch(index, factors.length), h("span", {}, names)),
      );
    }),
  );
  return h(
    "div",
    {},
    rove(legend),
    h(
      "div",
      { class: "layer-columns" },
      ...figures.map(({ element, layer }) => h("figure", {}, element, h("figcaption", {}, numbers.placeName(layer.place)))),
    ),
  );
}
