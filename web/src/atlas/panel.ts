// What a cell of the atlas stands for, in words, bars and real pictures; and what the atlas is while no cell is chosen.

import { h, svg } from "../dom";
import { count, number, shortName, signed } from "../format";
import { to } from "../route";
import type { AtlasCard, Cell, ClassValue, LayerCard, Site } from "../schema";
import { sprite } from "../sprites";
import { mapKeys } from "./frame";
import type { Spot } from "./level";

export const className = (site: Site, each: ClassValue | undefined): string | null => (each && site.classes[each.index]) ?? null;

/** A cell in one line, for the ear. */
export function spoken(site: Site, cell: Cell): string {
  const names = cell.classes
    .slice(0, 3)
    .map((each) => className(site, each))
    .filter(Boolean);
  return `${names.join("; ") || "no class"}. ${count(cell.count, "sample")}. Row ${cell.row + 1}, column ${cell.col + 1}.`;
}

export function cellDetails(site: Site, atlas: AtlasCard, spot: Spot, pick: (name: string) => void): HTMLElement {
  const { cell, level, index } = spot;
  const top = className(site, cell.classes[0]);
  return h(
    "div",
    { class: "cell" },
    h(
      "div",
      { class: "cell-head" },
      sprite(level.card.icons, index, "The icon of this cell", "icon"),
      h(
        "div",
        {},
        h("h2", {}, top === null ? "A cell" : shortName(top)),
        h("p", { class: "facts" }, `the average of ${count(cell.count, "sample")}`),
        fidelity(cell.cosine),
      ),
    ),
    classBars(site, cell.classes, pick),
    examples(atlas, cell),
  );
}

function fidelity(cosine: number): HTMLElement {
  const meter = h("span", { class: "meter", "aria-hidden": "true" }, h("i"));
  (meter.firstElementChild as HTMLElement).style.width = `${Math.max(0, Math.min(1, cosine)) * 100}%`;
  return h(
    "p",
    { class: "facts", title: "The cosine between what the icon excites and the average it was painted for; 1 is perfect" },
    meter,
    `cosine ${number(cosine)}`,
  );
}

function classBars(site: Site, classes: ClassValue[], pick: (name: string) => void): HTMLElement {
  if (classes.length === 0) return h("p", { class: "note" }, "Nothing is known about the classes of this cell.");
  const largest = Math.max(...classes.map((each) => Math.abs(each.value)), 1e-12);
  const rows = classes.map((each) => {
    const name = className(site, each) ?? `class ${each.index}`;
    const bar = svg("svg", {
      class: each.value < 0 ? "bar against" : "bar",
      viewBox: "0 0 100 4",
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    bar.append(svg("rect", { x: 0, y: 0, width: Math.max(0.5, (100 * Math.abs(each.value)) / largest), height: 4 }));
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", title: `Find “${name}” in the atlas`, on: { click: () => pick(name) } },
        h("span", { class: "name" }, name),
        h("span", { class: "value" }, signed(each.value)),
        bar,
      ),
    );
  });
  return h(
    "section",
    {},
    h("h3", {}, "Speaks for"),
    h("ol", { class: "bars" }, ...rows),
    h("p", { class: "hint" }, "mean attribution to the class, red where it speaks against it; choose one to find it on the map"),
  );
}

function examples(atlas: AtlasCard, cell: Cell): HTMLElement | null {
  if (cell.examples.length === 0) return null;
  const one = (each: Cell["examples"][number]) =>
    h(
      "li",
      { title: each.name },
      sprite(atlas.patches, each.patch, `A piece of ${each.name}`),
      h("span", { class: "caption" }, h("span", { class: "label" }, each.label ?? each.name)),
    );
  return h("section", {}, h("h3", {}, "From real pictures"), h("ul", { class: "patches" }, ...cell.examples.map(one)));
}

export function about(site: Site, layer: LayerCard, atlas: AtlasCard): HTMLElement {
  const others = site.layers.filter((each) => each.icons > 0 && each !== layer);
  const fact = (term: string, value: string) => [h("dt", {}, term), h("dd", {}, value)];
  return h(
    "div",
    { class: "about" },
    h(
      "p",
      {},
      `A map of what ${layer.name} has seen. Each small picture is painted for the average of many samples that the layer treats alike; neighbours on the map are alike to the layer, too. Larger pictures stand for more samples.`,
    ),
    h(
      "p",
      { class: "only-mouse" },
      "Point at a picture to see what it stands for; click to keep it. Drag to move, scroll or double-click to zoom: closer in, the pictures become finer.",
    ),
    h(
      "p",
      { class: "only-touch" },
      "Tap a picture to see what it stands for. Drag to move, pinch to zoom: closer in, the pictures become finer.",
    ),
    mapKeys("its details"),
    h("h3", {}, "How it was made"),
    h(
      "dl",
      { class: "facts-list" },
      ...fact("Samples", atlas.samples.toLocaleString("en")),
      ...fact("Layout", atlas.method),
      ...(atlas.trustworthiness === null ? [] : fact("Trustworthiness", number(atlas.trustworthiness))),
      ...fact("Icons’ cosine", `${number(atlas.median_cosine)} (median)`),
      ...fact("Whitened", atlas.whitened ? "yes" : "no"),
      ...fact("Levels", atlas.levels.map((each) => `${each.grid} × ${each.grid}`).join(", ")),
    ),
    others.length > 0 && h("h3", {}, "Atlases of other layers"),
    others.length > 0 &&
      h("p", { class: "pills" }, ...others.map((each) => h("a", { class: "pill", href: to.atlas(each.id) }, each.name))),
  );
}
