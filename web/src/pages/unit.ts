// A unit: its picture, how it came to be, and where real pictures excite it.

import { h, replace, svg } from "../dom";
import { number, shortName } from "../format";
import { layerCrumb, type Page, sparkline } from "../parts";
import { to } from "../route";
import type { Example, LayerCard, LayerPage, Site, Unit } from "../schema";
import { address, sprite } from "../sprites";
import { kin, meaning } from "./evidence";

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
    examples(site, layer, page, unit),
    spectrum(site, layer, page, unit),
    meaning(site, page, unit),
    kin(layer, page, unit),
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
    !unit.silent &&
      h("p", { class: "big-number" }, h("b", {}, number(unit.score)), h("span", {}, "mean answer all over the painted picture")),
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

function examples(site: Site, layer: LayerCard, page: LayerPage, unit: Unit): HTMLElement {
  const heading = h("h2", { id: "examples" }, "What excites it in real pictures");
  if (unit.examples.length === 0) {
    return h("section", { "aria-labelledby": "examples" }, heading, h("p", { class: "note" }, nothing(unit)));
  }
  return h(
    "section",
    { class: "examples", "aria-labelledby": "examples" },
    heading,
    h(
      "p",
      { class: "note" },
      "The strongest first, by the highest answer at any one place, each cut to what the unit can see there. Choose one to see where in its picture it was found.",
    ),
    gallery(site, layer, page, [unit.examples], 0, ([crops]) => crops as HTMLElement),
  );
}

function nothing(unit: Unit): string {
  if (unit.constant === null) return "No picture of the data excites this unit.";
  const dead = unit.constant === 0 ? "It is dead: it" : "It is constant: it";
  return `${dead} answers ${number(unit.constant)} everywhere in all pictures of the data, so none of them says anything about it.`;
}

/** From what a unit answers least to what it answers most, between the pictures painted for both. */
function spectrum(site: Site, layer: LayerCard, page: LayerPage, unit: Unit): HTMLElement | null {
  if (unit.spectrum.length === 0) return null;
  const most = unit.examples.slice(0, unit.spectrum[0]?.examples.length).reverse(); // values rise along the page
  const parts = [...unit.spectrum, { name: "maximum", share: null, examples: most }];
  const { negative } = unit;
  return h(
    "section",
    { class: "examples", "aria-labelledby": "spectrum" },
    h("h2", { id: "spectrum" }, "From the least to the most"),
    h(
      "p",
      { class: "note" },
      "Real pictures from every part of what it answers: the ends are exact, what lies between is drawn evenly.",
    ),
    histogram(unit),
    gallery(
      site,
      layer,
      page,
      parts.map((part) => part.examples),
      -1,
      (lists) =>
        h(
          "div",
          { class: "parts" },
          negative === null ? floor() : painted(negative, "painted for the least", `What unit ${unit.name} answers least`),
          ...parts.map((part, i) => h("div", { class: "part" }, partTitle(part.name, part.share), lists[i])),
          !unit.silent && painted(unit.picture, "painted for the most", `What unit ${unit.name} answers most`),
        ),
    ),
  );
}

/** What stands in place of the picture for the least, where there is nothing to paint. */
function floor(): HTMLElement {
  return h(
    "div",
    { class: "part" },
    h("h3", {}, "no less than zero"),
    h("p", { class: "hint" }, "It answers nothing below, or hardly: as behind a ReLU."),
  );
}

const PARTS: Record<string, string> = {
  minimum: "the least",
  negative: "below zero",
  zero: "around zero",
  positive: "above zero",
  maximum: "the most",
};

function partTitle(name: string, share: number | null): HTMLElement {
  const often = share === null ? null : share < 0.01 ? "less than 1%" : `${Math.round(100 * share)}%`;
  return h("h3", {}, PARTS[name] ?? name, often !== null && h("span", {}, often));
}

function painted(path: string, title: string, text: string): HTMLElement {
  const image = h("img", { src: address(path), alt: text, width: 112, height: 112 });
  image.addEventListener("error", () => image.replaceWith(h("p", { class: "lost" }, "The picture is missing from this site.")));
  return h("div", { class: "part" }, h("h3", {}, title), image);
}

/** How often which answer is given; heights are logarithms down to a millionth, so that what is rare can be seen. */
function histogram(unit: Unit): HTMLElement {
  const { low, high, shares } = unit.bars;
  const height = (share: number) => (share > 0 ? Math.max(1, 58 * (1 + Math.log10(share) / 6)) : 0);
  const step = 400 / shares.length;
  const bars = shares.map((share, i) =>
    svg("rect", { x: i * step, width: step - 1, y: 60 - height(share), height: height(share) }),
  );
  const zero = (400 * -low) / (high - low);
  const label = `How often it gives which answer, from ${number(low)} to ${number(high)}`;
  return h(
    "figure",
    { class: "histogram" },
    svg(
      "svg",
      { viewBox: "0 0 400 60", preserveAspectRatio: "none", role: "img", "aria-label": label },
      ...bars,
      low < 0 && high > 0 && svg("line", { x1: zero, x2: zero, y1: 0, y2: 60 }),
    ),
    h(
      "figcaption",
      {},
      h("span", {}, number(low)),
      h("span", {}, "how often, on a logarithmic scale"),
      h("span", {}, number(high)),
    ),
  );
}

/** Crops to choose from, list by list, and a stage that shows where the chosen one was found. */
function gallery(
  site: Site,
  layer: LayerCard,
  page: LayerPage,
  lists: Example[][],
  start: number, // which one stands on the stage first; -1: the last
  arrange: (lists: HTMLElement[]) => HTMLElement,
): HTMLElement {
  const stage = h("div", { class: "stage", "aria-live": "polite" });
  const choices: { button: HTMLElement; example: Example }[] = [];
  const choose = (at: number) => {
    for (const [i, { button }] of choices.entries()) button.setAttribute("aria-pressed", String(i === at));
    const chosen = choices[at];
    if (chosen) replace(stage, whole(site, layer, page, chosen.example));
  };
  const item = (example: Example, place: number) => {
    const at = choices.length;
    const button = exampleButton(page, example, place, () => choose(at));
    choices.push({ button, example });
    return h("li", {}, button);
  };
  const arranged = arrange(lists.map((list) => h("ul", { class: "crops" }, ...list.map(item))));
  choose((start + choices.length) % choices.length);
  return h("div", { class: "examples-body" }, stage, arranged);
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
function whole(site: Site, layer: LayerCard, page: LayerPage, example: Example): HTMLElement {
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
      example.wall && h("a", { href: to.picture(layer.id, example.image) }, "Pictures like this one"),
    ),
  );
}
