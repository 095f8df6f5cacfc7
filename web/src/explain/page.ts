// One explained picture, from its pixels to the classes, as figures that follow one choice.

import { h } from "../dom";
import { keysHelp, type Page } from "../parts";
import type { ExplainPage, Site } from "../schema";
import { ChannelList } from "./channels";
import { mark } from "./chooser";
import { Classes } from "./classes";
import { factorsFigure } from "./factors";
import { Flow } from "./flow";
import { Frame } from "./frame";
import { Groups } from "./groups";
import { classText, describe } from "./heat";
import { methodsFigure } from "./methods";
import { Numbers } from "./numbers";
import { Picker } from "./picker";
import { Words } from "./words";

export function explainView(site: Site, page: ExplainPage, query: URLSearchParams): Page {
  const numbers = new Numbers(site, page);
  const picker = new Picker(numbers, query);
  const live = h("p", { class: "unseen", "aria-live": "polite" });
  const announce = (text: string) => {
    live.textContent = text;
  };
  const photo = new Frame(numbers, picker, 0, announce);
  const main = h(
    "main",
    { class: "explain" },
    h("header", { class: "explain-head" }, h("p", { class: "kicker" }, "Why it says so"), h("h1", { tabindex: -1 }, page.name)),
    strip(numbers, picker),
    h(
      "section",
      { class: "explain-top", "aria-label": "The picture and the classes" },
      photo.element,
      new Classes(numbers, picker).element,
    ),
    section(
      "layers",
      "What each layer sees",
      "Every cell is drawn as what excites the layer as it does there, the larger the more it answers. Point at one: in the layers before it lights up what made it, in those behind what it makes. The words below are the channels that answer most there.",
      columns(
        page.layers.map((layer) =>
          h("div", {}, new Frame(numbers, picker, layer.place, announce).element, new Words(numbers, picker, layer.place).element),
        ),
      ),
    ),
    section(
      "channels",
      "What single channels give",
      "What a channel gives to a class depends on how it is asked: by the gradient here (top bar), along the way from nothing to here (middle), or along random ways (bottom). The path’s sum is the whole. Where the three disagree (≠), what a channel gives hangs on what else is there.",
      columns(page.layers.map((layer) => new ChannelList(numbers, picker, layer).element)),
    ),
    section(
      "groups",
      "Groups of neurons",
      "Channels that answer together in this picture, taken together, and what each group gives to the chosen class by the gradient here. Where the network bends, that can be far from what the whole layer gives, even of another sign: the path above adds up to the whole.",
      columns(page.layers.map((layer) => new Groups(numbers, picker, layer).element)),
    ),
    section(
      "flow",
      "From group to group",
      "How much each group gives to those of the next layer, and to the classes: dashed red speaks against. Each gap has its own scale. What no group explains stands below.",
      new Flow(numbers, picker).element,
    ),
    page.factors.length > 0 &&
      section(
        "factors",
        "All classes at once",
        "What speaks for any of the classes, summed up by a few ways of speaking, the same in all layers.",
        factorsFigure(numbers, picker),
      ),
    section("methods", "By other methods", methodsNote(numbers), methodsFigure(numbers, picker), unfit(page)),
    keysHelp(
      ["Tab", "to the next figure"],
      ["Arrows", "from cell to cell, or from one to the next in a list"],
      ["Enter", "keeps what is shown, or lets it go"],
      ["Escape", "lets go"],
    ),
    live,
  );
  picker.onChange((shown) => mark(main, numbers, shown, picker.pin));
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    picker.letGo();
    announce("Let go.");
  };
  return {
    title: page.name,
    crumbs: [{ text: page.name }],
    main,
    start: () => document.addEventListener("keydown", onKey),
    stop: () => document.removeEventListener("keydown", onKey),
    follow: (route) => {
      if (route.page !== "explain" || route.id !== page.id) return false;
      picker.follow(route.query);
      if (picker.pin) announce(`${describe(numbers, picker.pin)} is kept.`);
      return true;
    },
  };
}

function section(id: string, title: string, note: string, ...figures: (HTMLElement | null)[]): HTMLElement {
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), h("p", { class: "note" }, note), ...figures);
}

const columns = (each: HTMLElement[]) => h("div", { class: "layer-columns" }, ...each);

/** What is chosen, always in view, with the way to let it go. */
function strip(numbers: Numbers, picker: Picker): HTMLElement {
  const { page } = numbers;
  const options = () => page.classes.map((_, i) => h("option", { value: i }, numbers.className(i)));
  const choose = h("select", { "aria-label": "Class", on: { change: () => picker.forClass(Number(choose.value)) } }, ...options());
  const less = h(
    "select",
    { "aria-label": "Less the class", on: { change: () => picker.less(less.value === "" ? null : Number(less.value)) } },
    h("option", { value: "" }, "nothing"),
    ...options(),
  );
  const what = h("span", { class: "strip-choice" });
  const free = h("button", { type: "button", class: "text", on: { click: () => picker.letGo() } }, "Let go");
  picker.onChange((shown) => {
    choose.value = String(shown.a);
    less.value = shown.b === null ? "" : String(shown.b);
    what.textContent = shown.choice
      ? `${describe(numbers, shown.choice)}${shown.pinned ? ", kept" : ""}`
      : `What speaks for ${classText(numbers, shown)}`;
    free.hidden = picker.pin === null;
  });
  return h(
    "div",
    { class: "explain-strip" },
    h("span", { class: "strip-what" }, what, free),
    h("label", {}, "for ", choose),
    h("label", {}, "less ", less),
  );
}

function methodsNote(numbers: Numbers): string {
  const checked = numbers.page.methods.some((each) => each.trust !== null);
  const text = "The same question, answered by methods that have a name: lit is what they mark, red what speaks against.";
  return checked ? `${text} The numbers were measured on this picture, for ${numbers.className(0)}.` : text;
}

function unfit(page: ExplainPage): HTMLElement | null {
  if (page.unfit.length === 0) return null;
  return h(
    "ul",
    { class: "facts" },
    ...page.unfit.map((each) => h("li", {}, `${each.name} is not for this network: ${each.reason}`)),
  );
}
