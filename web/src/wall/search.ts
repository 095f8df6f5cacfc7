// Which layer sorts the wall, and which pictures are looked for: those that match stay, the others fade.

import { h } from "../dom";
import { count } from "../format";
import type { Picture, Site } from "../schema";
import { pictureName } from "./nearest";

export interface WallSearch {
  element: HTMLElement;
  /** The places of the pictures that match, or null for no search. */
  wanted(): Set<number> | null;
  text(): string;
  set(layer: string, find: string): void;
}

interface Wishes {
  layer(id: string): void;
  find(): void;
  next(): void;
}

export function wallSearch(site: Site, pictures: Picture[], wishes: Wishes): WallSearch {
  const layers = h(
    "select",
    { id: "wall-layer", "aria-label": "Sorted by layer", on: { change: () => wishes.layer(layers.value) } },
    ...site.layers.map((each) => h("option", { value: each.id }, each.name)),
  );
  const names = [...new Set(pictures.map((each) => pictureName(site, each)))].sort();
  const list = h("datalist", { id: "wall-names" }, ...names.map((value) => h("option", { value })));
  const input = h("input", {
    id: "wall-find",
    type: "search",
    list: "wall-names",
    placeholder: "Name or label",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": "Find pictures by name or label",
    "aria-describedby": "wall-status",
    on: { input: () => report(wishes.find) },
  });
  const status = h("p", { class: "search-status", id: "wall-status", role: "status" });
  const show = h("button", { type: "submit", class: "text", hidden: true }, "Show");
  const submit = (event: Event) => {
    event.preventDefault();
    wishes.next();
  };
  const texts = pictures.map((each) => `${each.name}\n${each.label ?? ""}`.toLowerCase());
  const wanted = () => {
    const text = input.value.trim().toLowerCase();
    return text ? new Set(texts.flatMap((each, place) => (each.includes(text) ? [place] : []))) : null;
  };
  const report = (then?: () => void) => {
    const found = wanted();
    element.classList.toggle("active", found !== null);
    show.hidden = !found?.size;
    status.textContent = found === null ? "" : found.size === 0 ? "no picture of that name" : count(found.size, "picture");
    then?.();
  };
  const element = h("form", { class: "search", role: "search", on: { submit } }, layers, input, list, status, show);
  return {
    element,
    wanted,
    text: () => input.value.trim(),
    set: (layer, find) => {
      layers.value = layer;
      if (input.value.trim() !== find) input.value = find;
      report();
    },
  };
}
