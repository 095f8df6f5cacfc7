// What surrounds a map: its buttons and keys, and the panel beside it, on a phone a sheet that comes up from below.

import { type Child, h, replace, svg } from "../dom";
import { keysHelp } from "../parts";
import type { AtlasMap } from "./map";

/** Nearer, farther, the whole map. */
export function zoomControls(map: () => AtlasMap | null): HTMLElement {
  const button = (label: string, path: string, click: () => void) =>
    h(
      "button",
      { type: "button", "aria-label": label, title: label, on: { click } },
      svg("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: path })),
    );
  return h(
    "div",
    { class: "controls", role: "group", "aria-label": "The view" },
    button("Nearer", "M8 3v10M3 8h10", () => map()?.zoomBy(2)),
    button("Farther", "M3 8h10", () => map()?.zoomBy(0.5)),
    button("The whole map", "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3", () => map()?.goHome()),
  );
}

/** Pixels at the bottom that the map leaves free at home, and those that the panel covers right now. */
export function foot(panel: HTMLElement): { home: number; now: number } {
  const phone = matchMedia("(max-width: 759px)").matches;
  return phone ? { home: 112, now: panel.offsetHeight } : { home: 56, now: 0 };
}

export interface Keys {
  move(down: number, right: number): void;
  enter(): void;
  escape(): void;
}

/** Arrow keys move, Enter takes, Escape leaves, plus and minus zoom, 0 shows everything. */
export function mapKey(event: KeyboardEvent, canvas: HTMLCanvasElement, map: AtlasMap | null, keys: Keys): void {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const steps: Record<string, [number, number]> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const step = steps[event.key];
  if (step) keys.move(...step);
  else if (event.key === "+" || event.key === "=") map?.zoomBy(2);
  else if (event.key === "-" || event.key === "_") map?.zoomBy(0.5);
  else if (event.key === "0" || event.key === "Home") map?.goHome();
  else if (event.key === "Enter" || event.key === " ") keys.enter();
  else if (event.key === "Escape") keys.escape();
  else return;
  canvas.classList.add("keyboard");
  event.preventDefault();
}

/** What can be done with the keys on a map; Enter shows `what`. */
export function mapKeys(what: string): HTMLElement {
  return keysHelp(
    ["← ↑ → ↓", "the next picture"],
    ["Enter", what],
    ["Esc", "back"],
    ["+ −", "nearer, farther"],
    ["0", "the whole map"],
  );
}

export class Panel {
  readonly element: HTMLElement;
  private readonly body = h("div", { class: "panel-body" });
  private readonly peek: HTMLElement;
  private readonly scroll: HTMLElement;

  constructor(kicker: string, name: string, toggle: () => void) {
    this.peek = h("button", { type: "button", class: "peek", "aria-expanded": "false", on: { click: toggle } });
    const title = h("div", { class: "panel-title" }, h("p", { class: "kicker" }, kicker), h("p", { class: "panel-name" }, name));
    this.scroll = h("div", { class: "panel-scroll" }, title, this.body);
    this.element = h("aside", { class: "panel", "aria-label": "Details" }, this.peek, this.scroll);
  }

  get isOpen(): boolean {
    return this.element.classList.contains("open");
  }

  /** Something was chosen. */
  show(title: string, content: HTMLElement): void {
    replace(this.body, content);
    this.element.classList.add("has-cell");
    this.tell(title, "Close");
    this.scroll.scrollTop = 0;
  }

  /** Nothing is chosen. */
  rest(invitation: string, more: string, content: Child): void {
    replace(this.body, content);
    this.element.classList.remove("has-cell");
    this.tell(invitation, more);
  }

  open(open: boolean): void {
    this.element.classList.toggle("open", open);
    this.peek.setAttribute("aria-expanded", String(open));
  }

  private tell(title: string, more: string): void {
    replace(this.peek, h("span", {}, title), h("span", { class: "more" }, more));
  }
}
