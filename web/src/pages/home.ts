// The front page: what was looked at, and every layer as a strip of its units' pictures.

import { h } from "../dom";
import { count, shortName } from "../format";
import type { HandIn } from "../live/desk";
import { fieldFigure, fieldText, type Page, pill, shapeText } from "../parts";
import { to } from "../route";
import type { DatasetCard, ExplainCard, LayerCard, Site } from "../schema";
import { address, sprite } from "../sprites";

const COLUMNS = 8; // pictures in a row of a layer on a wide window

/** The front page; on a server that explains pictures with those that were handed in, and the place for more. */
export function home(site: Site, handed: ExplainCard[] = [], handIn: HandIn | null = null): Page {
  const cards = [...handed, ...site.explained];
  const hooks = handIn ? { start: handIn.start, stop: handIn.stop } : {};
  if (site.layers.length === 0) {
    const main = h("main", { class: "home" }, explainedOnly(site), handIn?.element, explainedList(site, cards));
    return { title: "", crumbs: [], main, ...hooks };
  }
  const explained = cards.length > 0 && explainedSection(site, cards);
  const main = h(
    "main",
    { class: "home" },
    h(
      "header",
      { class: "hero" },
      h(
        "div",
        { class: "hero-text" },
        h("p", { class: "kicker" }, "What a network has learned to see"),
        h("h1", { tabindex: -1 }, site.title),
        h(
          "p",
          { class: "dek" },
          `${site.model.name} learned from pictures, but nobody told it what to look for. Here is what it found: `,
          `${count(site.layers.length, "layer")} opened up, each unit with the picture that excites it most.`,
        ),
        h("div", { class: "cards" }, modelCard(site), site.dataset && dataCard(site.dataset)),
      ),
      mosaic(site),
    ),
    handIn?.element,
    handIn && explained,
    howToRead(site),
    wallLink(site),
    !handIn && explained,
    h(
      "section",
      { class: "layers", "aria-labelledby": "layers" },
      h("h2", { id: "layers" }, "The layers"),
      layerNote(),
      ...site.layers.map((layer) => layerRow(site, layer)),
    ),
  );
  return { title: "", crumbs: [], main, ...hooks };
}

function layerNote(): HTMLElement {
  return h(
    "p",
    { class: "note" },
    "In the order in which a picture passes through them: edges and colours usually come first, whole things last.",
  );
}

/** Pictures of all layers, the first layers on top: the way through the network at one glance. */
function mosaic(site: Site): HTMLElement | null {
  const [rows, columns] = [4, 4];
  const layers = site.layers.filter((layer) => layer.strip.length > 0);
  if (layers.length === 0) return null;
  const tiles: HTMLElement[] = [];
  for (let row = 0; row < rows; row++) {
    const at = Math.floor((row * layers.length) / rows);
    const layer = layers[at] as LayerCard;
    const start = rowsBefore(row, layers.length, rows) * columns;
    for (let col = 0; col < columns; col++) {
      const position = layer.strip[(start + col) % layer.strip.length] as number;
      tiles.push(h("a", { href: to.position(layer.id, position), tabindex: -1 }, sprite(layer.sprites, position, "")));
    }
  }
  return h("div", { class: "mosaic", "aria-hidden": "true" }, ...tiles);
}

/** How many rows of the mosaic above this one show the same layer. */
function rowsBefore(row: number, layers: number, rows: number): number {
  const layerOf = (r: number) => Math.floor((r * layers) / rows);
  let before = 0;
  while (before < row && layerOf(row - before - 1) === layerOf(row)) before++;
  return before;
}

function modelCard(site: Site): HTMLElement {
  const { model } = site;
  const colours = model.channels === 3 ? "colour" : model.channels === 1 ? "grey" : `${model.channels} channels`;
  return h(
    "section",
    { class: "card", "aria-label": "The network" },
    h("h2", {}, "Network"),
    h(
      "dl",
      {},
      ...row("Name", model.name),
      ...row("Input", `${model.height} × ${model.width} px, ${colours}`),
      ...row("Parameters", model.parameters.toLocaleString("en")),
      ...(site.classes.length > 0 ? row("Classes", site.classes.length.toLocaleString("en")) : []),
    ),
  );
}

function dataCard(dataset: DatasetCard): HTMLElement {
  return h(
    "section",
    { class: "card", "aria-label": "The pictures" },
    h("h2", {}, "Pictures"),
    h(
      "dl",
      {},
      ...row("Source", dataset.source),
      ...row("Read", count(dataset.pictures, "picture")),
      ...row("Labels", dataset.labelled ? "yes" : "none"),
    ),
    dataset.skipped_count > 0 && skipped(dataset),
  );
}

function skipped({ skipped: list, skipped_count: total }: DatasetCard): HTMLElement {
  return h(
    "details",
    { class: "skipped" },
    h("summary", {}, `${count(total, "file")} could not be read`),
    h("ul", {}, ...list.map((each) => h("li", {}, h("b", {}, each.name), " ", h("span", {}, each.reason)))),
    total > list.length && h("p", {}, `and ${(total - list.length).toLocaleString("en")} more`),
  );
}

function row(term: string, value: string): HTMLElement[] {
  return [h("dt", {}, term), h("dd", {}, value)];
}

function howToRead(site: Site): HTMLElement {
  const anyAtlas = site.layers.some((layer) => layer.icons > 0);
  const column = (title: string, text: string) => h("div", {}, h("h3", {}, title), h("p", {}, text));
  return h(
    "section",
    { class: "how", "aria-labelledby": "how" },
    h("h2", { id: "how" }, "What am I looking at?"),
    h(
      "div",
      { class: "columns" },
      column(
        "A unit and its picture",
        "A layer is made of units, and each answers to something. To show what, its picture was painted from noise, changed step by step until the unit answered as strongly as it could. It is no photograph: it is the unit’s own ideal.",
      ),
      column(
        "Its examples",
        "Beside it stand the pieces of real pictures that excite the same unit most. Where the painted picture and the real pieces agree, you have a good guess at what the unit looks for. Where they do not, be suspicious.",
      ),
      anyAtlas &&
        column(
          "The atlas",
          "An atlas is a map of everything one layer has seen. What the layer treats alike lies close together. Every tile is painted for the average of many moments, and says for which classes they spoke.",
        ),
    ),
  );
}

/** The way to the wall, with some pictures of it, evenly drawn. */
function wallLink(site: Site): HTMLElement | null {
  const { wall } = site;
  if (wall === null) return null;
  const shown = Math.min(2 * COLUMNS, wall.count);
  const places = [...Array(shown).keys()].map((i) => Math.floor((i * wall.count) / shown));
  return h(
    "section",
    { class: "wall-link", "aria-labelledby": "wall" },
    h(
      "div",
      { class: "layer-text" },
      h("h2", { id: "wall" }, "The pictures"),
      h(
        "p",
        { class: "note" },
        "What the network was shown, as a wall on which alike pictures hang side by side: alike to the layer of your choice. Each leads to the nearest to it.",
      ),
      h("p", { class: "pills" }, pill(`Wall of ${count(wall.count, "picture")}`, to.pictures())),
    ),
    h(
      "a",
      { class: "strip", href: to.pictures(), tabindex: -1, "aria-hidden": "true" },
      ...places.map((place) => sprite(wall, place, "")),
    ),
  );
}

function explainedOnly(site: Site): HTMLElement {
  return h(
    "header",
    { class: "page-head" },
    h("div", {}, h("p", { class: "kicker" }, "Why it says so"), h("h1", { tabindex: -1 }, site.title)),
  );
}

function explainedSection(site: Site, cards: ExplainCard[]): HTMLElement {
  const note = "What the network saw in single pictures, layer by layer, and what speaks for the classes that it names.";
  return h(
    "section",
    { class: "layers", "aria-labelledby": "explained" },
    h("h2", { id: "explained" }, "Explained pictures"),
    h("p", { class: "note" }, note),
    explainedList(site, cards),
  );
}

function explainedList(site: Site, cards: ExplainCard[]): HTMLElement {
  const card = ({ id, name, photo, classes }: ExplainCard) => {
    const best = classes[0];
    const said = best ? `${shortName(site.classes[best.index] ?? "")}, ${(100 * best.probability).toFixed(0)}\u00a0%` : "";
    return h(
      "li",
      {},
      h(
        "a",
        { href: to.explain(id) },
        h("img", { src: address(photo), alt: "", loading: "lazy" }),
        h("b", {}, said),
        h("span", { class: "facts" }, name),
      ),
    );
  };
  return h("ul", { class: "explained-list" }, ...cards.map(card));
}

function layerRow(site: Site, layer: LayerCard): HTMLElement {
  const heading = `layer-${layer.id}`;
  const links = h(
    "p",
    { class: "pills" },
    pill(count(layer.units, "unit"), to.layer(layer.id), `${count(layer.units, "unit")} of ${layer.name}`),
    layer.icons > 0 && pill("Atlas", to.atlas(layer.id), `Atlas of ${layer.name}, ${count(layer.icons, "icon")}`),
  );
  const shown = layer.strip.slice(0, Math.max(COLUMNS, layer.strip.length - (layer.strip.length % COLUMNS))); // whole rows
  const strip = h(
    "ul",
    { class: "strip", "aria-label": `Some units of ${layer.name}` },
    ...shown.map((position, i) =>
      h(
        "li",
        {},
        h(
          "a",
          { href: to.position(layer.id, position) },
          sprite(layer.sprites, position, `A unit of ${layer.name}, ${i + 1} of ${shown.length}`),
        ),
      ),
    ),
  );
  return h(
    "article",
    { class: "layer-row", "aria-labelledby": heading },
    h(
      "div",
      { class: "layer-text" },
      h("h3", { id: heading }, h("a", { href: to.layer(layer.id) }, layer.name)),
      h("p", { class: "facts" }, layer.kind, h("br"), shapeText(layer)),
      h("p", { class: "facts field" }, fieldFigure(layer.field, site.model), h("span", {}, fieldText(layer.field, site.model))),
      links,
    ),
    layer.strip.length > 0 ? strip : h("p", { class: "note" }, "No unit of this layer has a picture yet."),
  );
}
