// A layer: its units as a grid, sorted and found by number, and the way to its atlas.

import { levelPreview } from "../atlas/preview";
import { h, replace } from "../dom";
import { count, number } from "../format";
import { fieldFigure, fieldText, type Page, shapeText, silentCount, unitPicture } from "../parts";
import { to } from "../route";
import type { LayerCard, LayerPage, Site, Unit } from "../schema";

export function layerView(site: Site, layer: LayerCard, page: LayerPage, query: URLSearchParams): Page {
  const atlas = page.atlas;
  const level = atlas?.levels.filter((each) => each.grid <= 20).pop() ?? atlas?.levels[0];
  const preview = h("span", { class: "atlas-preview" });
  const main = h(
    "main",
    { class: "layer" },
    h(
      "header",
      { class: "page-head" },
      h(
        "div",
        {},
        h("p", { class: "kicker" }, "Layer"),
        h("h1", { tabindex: -1 }, layer.name),
        h("p", { class: "facts" }, `${layer.kind} · ${shapeText(layer)}`),
        h("p", { class: "facts field" }, fieldFigure(layer.field, site.model), h("span", {}, fieldText(layer.field, site.model))),
        layerLinks(site, layer),
      ),
      atlas &&
        h(
          "a",
          { class: "atlas-link", href: to.atlas(layer.id), "aria-label": `Atlas of ${layer.name}` },
          preview,
          h(
            "span",
            { class: "atlas-link-text" },
            h("b", {}, "Atlas"),
            h(
              "span",
              {},
              `Everything this layer has seen as a map: ${count(layer.icons, "icon")} for ${count(atlas.samples, "sample")}`,
            ),
          ),
        ),
    ),
    unitGrid(layer, page, query),
  );
  const start = () => {
    if (level)
      levelPreview(layer.id, level, 176).then(
        (canvas) => replace(preview, canvas),
        () => preview.remove(),
      );
  };
  return { title: layer.name, crumbs: [{ text: layer.name }], main, start };
}

/** Links to the layers before and after. */
function layerLinks(site: Site, layer: LayerCard): HTMLElement | null {
  const at = site.layers.indexOf(layer);
  const [before, after] = [site.layers[at - 1], site.layers[at + 1]];
  if (!before && !after) return null;
  return h(
    "p",
    { class: "neighbours" },
    before && h("a", { href: to.layer(before.id), "aria-label": `Layer before: ${before.name}` }, `← ${before.name}`),
    after && h("a", { href: to.layer(after.id), "aria-label": `Layer after: ${after.name}` }, `${after.name} →`),
  );
}

const orders: Record<string, { text: string; compare: (a: Unit, b: Unit) => number }> = {
  channel: { text: "channel", compare: (a, b) => a.channel - b.channel },
  score: { text: "score, highest first", compare: (a, b) => Number(a.silent) - Number(b.silent) || b.score - a.score },
};

function unitGrid(layer: LayerCard, page: LayerPage, query: URLSearchParams): HTMLElement {
  const asked = query.get("sort") ?? "";
  const select = h(
    "select",
    { id: "sort" },
    ...Object.entries(orders).map(([key, each]) => h("option", { value: key, selected: key === asked }, each.text)),
  );
  const find = h("input", {
    id: "find",
    type: "search",
    inputmode: "numeric",
    autocomplete: "off",
    placeholder: "number",
    value: query.get("find"),
  });
  const status = h("p", { class: "status", role: "status" });
  const grid = h("ul", { class: "units" });
  const tiles = new Map(page.units.map((unit, i) => [unit, unitTile(layer, unit, i)]));

  const found = () => page.units.filter((unit) => String(unit.channel).startsWith(find.value.trim()));
  const show = () => {
    const order = orders[select.value] ?? orders.channel;
    const units = found().sort(order?.compare);
    replace(grid, ...units.map((unit) => tiles.get(unit)));
    status.textContent = statusText(page, units.length, find.value.trim());
  };
  const remember = () => {
    const state = new URLSearchParams();
    if (select.value !== "channel") state.set("sort", select.value);
    if (find.value.trim()) state.set("find", find.value.trim());
    history.replaceState(null, "", to.layer(layer.id, state));
  };
  const change = () => {
    show();
    remember();
  };
  select.addEventListener("change", change);
  find.addEventListener("input", change);
  const form = h(
    "form",
    {
      class: "tools",
      on: {
        submit: (event) => {
          event.preventDefault();
          const unit = page.units.find((each) => String(each.channel) === find.value.trim());
          if (unit) location.hash = to.unit(layer.id, unit.channel);
        },
      },
    },
    h("label", {}, h("span", {}, "Sort by"), select),
    h("label", {}, h("span", {}, "Find channel"), find),
  );
  show();
  return h(
    "section",
    { "aria-labelledby": "units" },
    h("div", { class: "bar" }, h("h2", { id: "units" }, "Units"), form),
    status,
    grid,
  );
}

function statusText(page: LayerPage, shown: number, find: string): string {
  if (shown === 0) return find ? `No unit with a channel number that starts with “${find}”.` : "This layer has no units to show.";
  if (find) return `${shown.toLocaleString("en")} of ${count(page.units.length, "unit")}`;
  const silent = silentCount(page);
  const still =
    silent === 0
      ? ""
      : ` ${silent.toLocaleString("en")} of them ${silent === 1 ? "is" : "are"} silent: nothing that was painted moved ${silent === 1 ? "it" : "them"}.`;
  return `${count(page.units.length, "unit")}.${still}`;
}

function unitTile(layer: LayerCard, unit: Unit, index: number): HTMLElement {
  const score = unit.silent ? "silent" : number(unit.score);
  return h(
    "li",
    {},
    h(
      "a",
      { href: to.unit(layer.id, unit.channel), title: `${unit.name} · ${unit.silent ? "silent" : `score ${score}`}` },
      unitPicture(layer, unit, index),
      h("span", { class: "caption" }, h("span", {}, String(unit.channel)), h("span", { class: "score" }, unit.silent ? "" : score)),
    ),
  );
}
