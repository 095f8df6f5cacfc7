// Small parts that several pages share.

import { Trouble } from "./data";
import { h, svg } from "./dom";
import { count, number } from "./format";
import { type Route, to } from "./route";
import type { Field, LayerCard, LayerPage, ModelCard, Site, Unit } from "./schema";
import { sprite } from "./sprites";

export interface Page {
  title: string;
  crumbs: { text: string; href?: string }[];
  main: HTMLElement;
  /** The page fills the window and scrolls inside (the atlas). */
  full?: boolean;
  /** Called once the page stands in the document. */
  start?: () => void;
  /** Goes to another address of the same page, without a new one; false where it cannot. */
  follow?: (route: Route) => boolean;
  /** Called before another page takes its place. */
  stop?: () => void;
}

export const layerCrumb = (layer: LayerCard) => ({ text: layer.name, href: to.layer(layer.id) });

export function seesWhole(field: Field | null, model: ModelCard): boolean {
  return field === null || ((field.size[0] ?? 0) >= model.height && (field.size[1] ?? 0) >= model.width);
}

export function shapeText(layer: LayerCard): string {
  const positions = layer.height * layer.width === 1 ? "one position" : `${layer.height} × ${layer.width} positions`;
  return `${count(layer.channels, "channel")}, ${positions}`;
}

export function fieldText(field: Field | null, model: ModelCard): string {
  if (field === null || seesWhole(field, model)) return "each position sees the whole picture";
  return `each position sees ${field.size[0]} × ${field.size[1]} of ${model.height} × ${model.width} px`;
}

/** The network's input with the part that one position sees: a picture of the receptive field. */
export function fieldFigure(field: Field | null, model: ModelCard): SVGSVGElement {
  const scale = 34 / Math.max(model.height, model.width);
  const [width, height] = [model.width * scale, model.height * scale];
  const [inner, outer] = [
    Math.min(1, (field?.size[1] ?? Infinity) / model.width),
    Math.min(1, (field?.size[0] ?? Infinity) / model.height),
  ];
  const [w, t] = [Math.max(2, width * inner), Math.max(2, height * outer)];
  return svg(
    "svg",
    { class: "field-figure", viewBox: "0 0 36 36", "aria-hidden": "true" },
    svg("rect", { class: "whole", x: 18 - width / 2, y: 18 - height / 2, width, height }),
    svg("rect", { class: "seen", x: 18 - w / 2, y: 18 - t / 2, width: w, height: t }),
  );
}

/** How a score grew, first to last, as a line. */
export function sparkline(history: number[]): SVGSVGElement | null {
  const values = history.filter(Number.isFinite);
  if (values.length < 2) return null;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const points = values.map((value, i): [number, number] => [
    2 + (236 * i) / (values.length - 1),
    46 - (44 * (value - low)) / (high - low || 1),
  ]);
  const line = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  const [endX, endY] = points[points.length - 1] ?? [0, 0];
  const label = `Score while painting: from ${number(values[0] ?? 0)} to ${number(values[values.length - 1] ?? 0)} in ${values.length} readings`;
  return svg(
    "svg",
    { class: "sparkline", viewBox: "0 0 244 48", role: "img", "aria-label": label },
    svg("polygon", { points: `2,48 ${line} 238,48` }),
    svg("polyline", { points: line }),
    svg("circle", { cx: endX, cy: endY, r: 3 }),
  );
}

/** A unit's picture, or the word for one that shows nothing. */
export function unitPicture(layer: LayerCard, unit: Unit, index: number): HTMLElement {
  if (unit.silent) return h("span", { class: "sprite silent" }, "silent");
  return sprite(layer.sprites, index, `What unit ${unit.name} looks for`);
}

export function layerOf(site: Site, id: string): LayerCard {
  const layer = site.layers.find((each) => each.id === id);
  if (layer) return layer;
  throw new Trouble(`This site has no layer “${id}”.`, `It has ${site.layers.map((each) => each.name).join(", ")}.`);
}

export function silentCount(page: LayerPage): number {
  return page.units.filter((unit) => unit.silent).length;
}

/** A link that looks like a button. */
export function pill(text: string, href: string, label?: string): HTMLElement {
  return h("a", { class: "pill", href, "aria-label": label }, text);
}

/** What can be done with the keys, for those who ask: each with what it does. */
export function keysHelp(...keys: [string, string][]): HTMLElement {
  return h(
    "details",
    { class: "keys" },
    h("summary", {}, "With the keyboard"),
    h("dl", {}, ...keys.flatMap(([key, does]) => [h("dt", {}, key), h("dd", {}, does)])),
  );
}
