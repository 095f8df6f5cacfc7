// Finding a class on the map: cells that speak for it stay, the others fade.

import { h, replace } from "../dom";
import { count } from "../format";
import type { Site } from "../schema";
import type { Level, Spot } from "./level";

export interface Search {
  element: HTMLElement;
  /** The classes that match, or null for no search. */
  wanted(): Set<number> | null;
  text(): string;
  set(text: string): void;
  /** Tells how many cells of this level match. */
  report(level: Level | null): void;
}

export function classSearch(site: Site, change: () => void, next: () => void): Search {
  const list = h("datalist", { id: "classes" }, ...[...new Set(site.classes)].sort().map((name) => h("option", { value: name })));
  const input = h("input", {
    id: "class-search",
    type: "search",
    list: "classes",
    placeholder: "Find a class",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": "Find a class on the map",
    "aria-describedby": "search-status",
    on: { input: change },
  });
  const status = h("p", { class: "search-status", id: "search-status", role: "status" });
  const submit = (event: Event) => {
    event.preventDefault();
    next();
  };
  const go = h("button", { type: "submit", class: "text", hidden: true }, "Show");
  const element = h("form", { class: "search", role: "search", on: { submit } }, input, list, status, go);
  const wanted = () => {
    const text = input.value.trim().toLowerCase();
    if (!text) return null;
    const exact = site.classes.flatMap((name, i) => (name.toLowerCase() === text ? [i] : []));
    return new Set(exact.length > 0 ? exact : site.classes.flatMap((name, i) => (name.toLowerCase().includes(text) ? [i] : [])));
  };
  return {
    element,
    wanted,
    text: () => input.value.trim(),
    set: (text) => {
      input.value = text;
    },
    report: (level) => {
      const classes = wanted();
      const cells = classes && level ? matching(level, classes).length : 0;
      element.classList.toggle("active", classes !== null);
      go.hidden = cells === 0;
      if (!classes || !level) replace(status);
      else if (classes.size === 0) replace(status, "no class of that name");
      else
        replace(
          status,
          cells === 0 ? "in no cell at this zoom" : `in ${cells.toLocaleString("en")} of ${count(level.cells.length, "cell")}`,
        );
    },
  };
}

/** The cells that speak for one of the classes, the strongest first. */
export function matching(level: Level, classes: Set<number>): Spot[] {
  const strength = (spot: Spot) => Math.max(...spot.cell.classes.map((each) => (classes.has(each.index) ? each.value : -Infinity)));
  const spots = level.cells
    .map((_, i) => level.spot(i) as Spot)
    .filter((spot) => spot.cell.classes.some((each) => classes.has(each.index)));
  return spots.sort((a, b) => strength(b) - strength(a));
}
