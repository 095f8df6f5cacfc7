// What a unit goes with: classes, concepts, and the units that answer as it does.

import { type Child, h, svg } from "../dom";
import { count, number, signed } from "../format";
import { unitPicture } from "../parts";
import { to } from "../route";
import type { Kin, LayerCard, LayerPage, Site, Unit } from "../schema";

/** The classes that a unit speaks for, and the concepts that it agrees with where any are known. */
export function meaning(site: Site, page: LayerPage, unit: Unit): HTMLElement {
  return h(
    "section",
    { class: "meaning", "aria-labelledby": "meaning" },
    h("h2", { id: "meaning" }, "What it may stand for"),
    h("div", { class: "columns" }, favours(site, unit), concepts(page, unit)),
  );
}

function favours(site: Site, unit: Unit): HTMLElement {
  const heading = h("h3", {}, "Classes it speaks for");
  if (unit.favours.length === 0)
    return h("div", {}, heading, h("p", { class: "note" }, "None: its answers go with no class more than chance would explain."));
  const most = Math.max(...unit.favours.map((each) => each.correlation));
  const rows = unit.favours.map((each) =>
    measured(site.classes[each.index] ?? `class ${each.index}`, signed(each.correlation), each.correlation / most),
  );
  return h(
    "div",
    {},
    heading,
    h("ol", { class: "bars", "aria-label": "Classes it speaks for" }, ...rows),
    h(
      "p",
      { class: "hint" },
      "Where its answer rises, what the layer says for the class rises above what it says for all: the correlation of the two over the sampled places. Shown is what chance does not explain.",
    ),
  );
}

function concepts(page: LayerPage, unit: Unit): HTMLElement | null {
  const known = page.concepts;
  if (known === null) return null;
  const best = unit.concepts[0]?.iou ?? 0;
  const most = Math.max(best, known.limit);
  const rows = unit.concepts.map((each) => measured(each.concept, number(each.iou), each.iou / most, known.limit / most));
  return h(
    "div",
    {},
    h("h3", {}, "Concepts it agrees with"),
    h("ol", { class: "bars", "aria-label": "Concepts it agrees with" }, ...rows),
    h(
      "p",
      { class: "hint" },
      `Overlap of where it answers most with where ${count(known.pictures, "labelled picture")} show each of ${count(known.concepts, "concept")}, as intersection over union. `,
      best > known.limit ? "It is a detector: the best lies above " : "It is no detector: none lies above ",
      `${number(known.limit)}, the mark in the bars.`,
    ),
  );
}

/** A name, a number, and a bar of that share; with a mark where a limit lies. */
function measured(name: string, value: string, share: number, mark?: number): HTMLElement {
  const at = 100 * (mark ?? 0);
  return h(
    "li",
    {},
    h("span", { class: "name" }, name),
    h("span", { class: "value" }, value),
    svg(
      "svg",
      { class: "bar", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { x: 0, y: 0, width: Math.max(0.5, 100 * share), height: 4 }),
      mark !== undefined && svg("line", { x1: at, x2: at, y1: 0, y2: 4 }),
    ),
  );
}

/** The units whose answers rise and fall with this one's, and those that do the opposite. */
export function kin(layer: LayerCard, page: LayerPage, unit: Unit): HTMLElement | null {
  if (unit.alike.length + unit.opposite.length === 0) return null;
  const list = (title: string, units: Kin[]): Child =>
    units.length > 0 &&
    h(
      "div",
      {},
      h("h3", {}, title),
      h("ul", { class: "kin", "aria-label": title }, ...units.map((each) => relative(layer, page, each))),
    );
  return h(
    "section",
    { "aria-labelledby": "kin" },
    h("h2", { id: "kin" }, "Its nearest units"),
    h(
      "p",
      { class: "note" },
      `Of the ${count(page.units.length, "unit")} shown here, those whose mean answers to all pictures go with its own. The number is their correlation.`,
    ),
    h("div", { class: "kin-lists" }, list("Most alike", unit.alike), list("Most opposite", unit.opposite)),
  );
}

function relative(layer: LayerCard, page: LayerPage, each: Kin): HTMLElement | null {
  const unit = page.units[each.unit];
  if (!unit) return null;
  const correlation = signed(each.correlation);
  return h(
    "li",
    {},
    h(
      "a",
      { href: to.unit(layer.id, unit.channel), "aria-label": `Unit ${unit.name}, correlation ${correlation}` },
      unitPicture(layer, unit, each.unit),
      h("span", { class: "caption" }, h("span", {}, String(unit.channel)), h("span", {}, correlation)),
    ),
  );
}
