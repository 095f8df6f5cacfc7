// A unit: its picture, how it came to be, and where real pictures excite it.

import { h, replace } from "../dom";
import { number, shortName } from "../format";
import { layerCrumb, type Page, sparkline } from "../parts";
import { to } from "../route";
import type { Example, LayerCard, LayerPage, Site, Unit } from "../schema";
import { address, sprite } from "../sprites";

export function unitView(site: Site, layer: LayerCard, page: LayerPage, unit: Unit): Page {
  const at = page.units.indexOf(unit);
  const [before, after] = [page.units[at - 1], page.units[at + 1]];
  const main = h(
    "main",
    { class: "unit" },
    h(
      "header",
      { class: "unit-head" },
      picture(unit),
      h(
        "div",
        { class: "unit-text" },
        h("p", { class: "kicker" }, `Unit ${at + 1} of ${page.units.length}`),
        h("h1", { tabindex: -1 }, unit.name),
        made(unit),
        h(
          "nav",
          { class: "pills", "aria-label": "Other units" },
          before && h("a", { class: "pill", rel: "prev", href: to.unit(layer.id, before.channel) }, `← ${before.channel}`),
          after && h("a", { class: "pill", rel: "next", href: to.unit(layer.id, after.channel) }, `${after.channel} →`),
          h("a", { class: "pill quiet", href: to.layer(layer.id) }, "All units"),
        ),
      ),
    ),
    examples(site, page, unit),
  );
  const keys = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
    const next = event.key === "ArrowLeft" ? before : event.key === "ArrowRight" ? after : undefined;
    if (next) location.replace(to.unit(layer.id, next.channel)); // one step back leaves the units again
  };
  return {
    title: unit.name,
    crumbs: [layerCrumb(layer), { text: `unit ${unit.channel}` }],
    main,
    start: () => document.addEventListener("keydown", keys),
    stop: () => document.removeEventListener("keydown", keys),
  };
}

function picture(unit: Unit): HTMLElement {
  if (unit.silent) {
    return h(
      "div",
      { class: "unit-picture silent" },
      h("p", {}, h("b", {}, "silent"), "Nothing that was painted moved this unit, so there is no picture to show."),
    );
  }
  const image = h("img", { src: address(unit.picture), alt: `What unit ${unit.name} looks for`, width: 384, height: 384 });
  const frame = h("div", { class: "unit-picture" }, image);
  image.addEventListener("error", () => replace(frame, h("p", { class: "lost" }, "The picture is missing from this site.")));
  return frame;
}

function made(unit: Unit): HTMLElement {
  const line = unit.silent ? null : sparkline(unit.history);
  return h(
    "div",
    { class: "made" },
    !unit.silent && h("p", { class: "big-number" }, h("b", {}, number(unit.score)), h("span", {}, "score of the painted picture")),
    line && h("figure", {}, line, h("figcaption", {}, "how the score grew while it was painted")),
    unit.quality.length > 0 && h("ul", { class: "quality", "aria-label": "How good the picture is" }, ...unit.quality.map(finding)),
    h("p", { class: "settings" }, unit.settings),
  );
}

/** A sentence that begins with a word and a colon, the word standing out. */
function finding(sentence: string): HTMLElement {
  const [word, rest] = sentence.split(/:(.*)/s);
  return h("li", {}, h("b", {}, `${word}:`), rest);
}

function examples(site: Site, page: LayerPage, unit: Unit): HTMLElement {
  const heading = h("h2", { id: "examples" }, "What excites it in real pictures");
  if (unit.examples.length === 0) {
    return h(
      "section",
      { "aria-labelledby": "examples" },
      heading,
      h("p", { class: "note" }, "No picture of the data excites this unit."),
    );
  }
  const stage = h("div", { class: "stage", "aria-live": "polite" });
  const buttons = unit.examples.map((each, i) => exampleButton(page, each, i, () => choose(i)));
  const choose = (i: number) => {
    for (const [j, button] of buttons.entries()) button.setAttribute("aria-pressed", String(i === j));
    replace(stage, whole(site, page, unit.examples[i] as Example));
  };
  choose(0);
  return h(
    "section",
    { class: "examples", "aria-labelledby": "examples" },
    heading,
    h(
      "p",
      { class: "note" },
      "The strongest first, each cut to what the unit can see. Choose one to see where in its picture it was found.",
    ),
    h("div", { class: "examples-body" }, stage, h("ul", { class: "crops" }, ...buttons.map((button) => h("li", {}, button)))),
  );
}

function exampleButton(page: LayerPage, example: Example, index: number, choose: () => void): HTMLElement {
  const label = example.label === null ? "" : shortName(example.label);
  return h(
    "button",
    {
      type: "button",
      "aria-label": `Example ${index + 1}: ${label || example.name}, value ${number(example.value)}`,
      on: { click: choose, focus: choose, pointerenter: (event) => event.pointerType === "mouse" && choose() },
    },
    sprite(page.crops, example.crop, ""),
    h("span", { class: "caption" }, h("span", { class: "label" }, label), h("span", {}, number(example.value))),
  );
}

/** The whole picture with the crop's box drawn over it. Sprites are square; other shapes lie fitted in the middle. */
function whole(site: Site, page: LayerPage, example: Example): HTMLElement {
  const [top = 0, left = 0, bottom = 1, right = 1] = example.box.map((each) => Math.min(1, Math.max(0, each)));
  const aspect = site.model.width / site.model.height;
  const [width, height] = [Math.min(1, aspect), Math.min(1, 1 / aspect)];
  const percent = (value: number, size: number) => `${(100 * ((1 - size) / 2 + value * size)).toFixed(3)}%`;
  const box = h("span", { class: "box" });
  box.style.left = percent(left, width);
  box.style.top = percent(top, height);
  box.style.width = `${(100 * (right - left) * width).toFixed(3)}%`;
  box.style.height = `${(100 * (bottom - top) * height).toFixed(3)}%`;
  const frame = h("div", { class: "whole" }, sprite(page.wholes, example.whole, `The whole picture ${example.name}`), box);
  return h(
    "figure",
    {},
    frame,
    h(
      "figcaption",
      {},
      example.label !== null && h("b", {}, example.label),
      h("span", { class: "file" }, example.name),
      h("span", {}, `excites the unit to ${number(example.value)}`),
    ),
  );
}
