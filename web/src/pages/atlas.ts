// The atlas of a layer: the map, its controls, and the panel that tells what a cell stands for.

import { foot, mapKey, Panel, zoomControls } from "../atlas/frame";
import { Level, type Spot } from "../atlas/level";
import { AtlasMap, type View } from "../atlas/map";
import { Minimap } from "../atlas/minimap";
import { about, cellDetails, className, spoken } from "../atlas/panel";
import { classSearch, matching } from "../atlas/search";
import * as data from "../data";
import { h, replace } from "../dom";
import { count, shortName } from "../format";
import { layerCrumb, type Page } from "../parts";
import { parse, to } from "../route";
import type { AtlasCard, LayerCard, Site } from "../schema";

export function atlasView(site: Site, layer: LayerCard, atlas: AtlasCard, query: URLSearchParams): Page {
  return new AtlasPage(site, layer, atlas, query).page;
}

class AtlasPage {
  readonly page: Page;
  private readonly canvas: HTMLCanvasElement;
  private readonly panel: Panel;
  private readonly live = h("p", { class: "unseen", "aria-live": "polite", id: "map-live" });
  private readonly note = h("p", { class: "level-note" });
  private readonly message = h("p", { class: "map-message", role: "status" });
  private readonly search = classSearch(
    this.site,
    () => this.searched(),
    () => this.nextMatch(),
  );
  private readonly minimap: Minimap | null;
  private readonly levels = new Map<number, Level | "loading" | "lost">();
  private map: AtlasMap | null = null;
  private pinned = false;
  private matchAt = -1;
  private toast = 0;

  constructor(
    private readonly site: Site,
    private readonly layer: LayerCard,
    private readonly atlas: AtlasCard,
    private readonly query: URLSearchParams,
  ) {
    this.canvas = h("canvas", {
      class: "map-canvas",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "map",
      "aria-label": `Atlas of ${layer.name}: arrow keys go from picture to picture, Enter opens the details, plus and minus zoom, 0 shows everything`,
      on: { keydown: (event) => this.key(event), blur: () => this.canvas.classList.remove("keyboard") },
    });
    const coarsest = atlas.levels[0];
    this.minimap = coarsest ? new Minimap(layer.id, coarsest) : null;
    this.panel = new Panel("Atlas", layer.name, () => this.togglePanel());
    const heading = h("h1", { class: "unseen" }, `Atlas of ${layer.name}`);
    const main = h("main", { class: "atlas" }, heading, this.mapPart(), this.panel.element);
    this.page = {
      title: `Atlas of ${layer.name}`,
      crumbs: [layerCrumb(layer), { text: "atlas" }],
      main,
      full: true,
      start: () => this.start(),
      stop: () => this.stop(),
    };
    this.rest();
  }

  private mapPart(): HTMLElement {
    const labels = h("input", { type: "checkbox", id: "labels", checked: true });
    labels.addEventListener("change", () => {
      if (!this.map) return;
      this.map.labels = labels.checked;
      this.map.redraw();
    });
    return h(
      "div",
      { class: "map" },
      this.canvas,
      this.search.element,
      zoomControls(() => this.map),
      h(
        "div",
        { class: "map-foot" },
        this.minimap?.element,
        h(
          "div",
          { class: "map-tools" },
          h("label", { class: "check" }, labels, h("span", {}, "Names")),
          h("button", { type: "button", class: "text", on: { click: () => void this.copyLink() } }, "Copy link"),
          this.note,
        ),
      ),
      this.message,
      this.live,
    );
  }

  private start(): void {
    this.map = new AtlasMap(this.canvas, {
      grids: this.atlas.levels.map((each) => each.grid),
      classes: this.site.classes,
      level: (grid) => this.level(grid),
      foot: () => foot(this.panel.element),
      onView: (view) => this.viewed(view),
      onLevel: (level) => this.levelChanged(level),
      onHover: (spot) => this.hovered(spot),
      onPick: (spot) => this.pick(spot),
    });
    this.minimap?.attach(this.map);
    this.search.set(this.query.get("class") ?? "");
    this.map.wanted = this.searchedFor();
    this.map.resize();
    const [x, y, k] = ["x", "y", "k"].map((name) => Number.parseFloat(this.query.get(name) ?? ""));
    if ([x, y, k].every(Number.isFinite)) this.map.go({ x, y, k } as View, 0);
    this.minimap?.update();
  }

  private stop(): void {
    this.map?.stop();
    clearTimeout(this.toast);
  }

  private level(grid: number): Level | null {
    const known = this.levels.get(grid);
    if (known instanceof Level) return known;
    const card = this.atlas.levels.find((each) => each.grid === grid);
    if (known === undefined && card) {
      this.levels.set(grid, "loading");
      data.atlasLevel(this.layer.id, grid).then(
        (value) => {
          this.levels.set(grid, new Level(card, value, () => this.sheetCame(grid)));
          this.map?.redraw();
        },
        (error: Error) => {
          this.levels.set(grid, "lost");
          this.say(error.message, true);
        },
      );
    }
    return null;
  }

  private sheetCame(grid: number): void {
    const level = this.levels.get(grid);
    if (level instanceof Level && level.lost > 0)
      this.say(`${count(level.lost, "sheet")} of icons could not be loaded; the site may be incomplete.`, true);
    this.map?.redraw();
  }

  // What the reader does ----------------------------------------------------------------------------------------------------

  private viewed(view: View): void {
    this.minimap?.update();
    this.remember(view);
  }

  /** Keeps the view in the address, unless the reader has already gone on. */
  private remember(view: View): void {
    const route = parse(location.hash);
    if (route.page === "atlas" && route.layer === this.layer.id) history.replaceState(null, "", this.address(view));
  }

  private address(view: View): string {
    const state = new URLSearchParams();
    if (Math.abs(view.k - 1) > 1e-3 || Math.hypot(view.x - 0.5, view.y - 0.5) > 0.06) {
      for (const name of ["x", "y", "k"] as const) state.set(name, view[name].toFixed(3));
    }
    if (this.search.text()) state.set("class", this.search.text());
    return to.atlas(this.layer.id, state);
  }

  private levelChanged(level: Level): void {
    this.canvas.dataset.grid = String(level.grid);
    this.note.textContent = `${level.grid} × ${level.grid} · ${count(level.cells.length, "icon")}`;
    this.search.report(level);
    const chosen = this.map?.chosen;
    if (!this.map || !chosen || chosen.level === level) return;
    const { cell } = chosen; // the cell of the new grid at the same place
    this.choose(level.nearest((cell.col + 0.5) / chosen.level.grid, (cell.row + 0.5) / chosen.level.grid), this.pinned);
  }

  private hovered(spot: Spot | null): void {
    if (this.pinned) return;
    if (spot) this.details(spot);
    else if (!this.map?.chosen) this.rest();
  }

  private pick(spot: Spot | null): void {
    this.canvas.classList.remove("keyboard");
    const again = this.pinned && spot?.cell === this.map?.chosen?.cell;
    if (spot === null || again) this.close();
    else {
      this.choose(spot, true);
      this.map?.reveal(spot);
    }
  }

  /** The cell under the cursor of the keyboard, or the one that was picked. */
  private choose(spot: Spot | null, pin: boolean): void {
    if (!this.map || !spot) return;
    this.map.chosen = spot;
    this.pinned = pin;
    this.details(spot);
    if (pin) this.panel.open(true);
    this.map.redraw();
  }

  private close(): void {
    this.pinned = false;
    if (this.map) this.map.chosen = null;
    this.rest();
    this.panel.open(false);
    this.map?.redraw();
  }

  private key(event: KeyboardEvent): void {
    mapKey(event, this.canvas, this.map, {
      move: (down, right) => this.move(down, right),
      enter: () => this.enter(),
      escape: () => this.close(),
    });
  }

  private move(down: number, right: number): void {
    const level = this.map?.shownLevel;
    if (!this.map || !level) return;
    const { chosen, view } = this.map;
    const next = chosen ? level.beside(chosen.cell, down, right) : level.nearest(view.x, view.y);
    if (!next) return;
    this.choose(next, this.pinned);
    this.map.reveal(next);
    this.live.textContent = spoken(this.site, next.cell);
  }

  private enter(): void {
    if (!this.map?.chosen) this.move(0, 1);
    else this.choose(this.map.chosen, true);
    if (this.map?.chosen)
      this.live.textContent = `Details of ${className(this.site, this.map.chosen.cell.classes[0]) ?? "the cell"} are open.`;
  }

  private searched(): void {
    if (!this.map) return;
    this.map.wanted = this.searchedFor();
    this.matchAt = -1;
    this.search.report(this.map.shownLevel);
    this.map.redraw();
    this.remember(this.map.view);
  }

  private searchedFor(): ((spot: Spot) => boolean) | null {
    const classes = this.search.wanted();
    return classes && ((spot) => spot.cell.classes.some((each) => classes.has(each.index)));
  }

  private nextMatch(): void {
    const level = this.map?.shownLevel;
    const wanted = this.search.wanted();
    if (!this.map || !level || !wanted) return;
    const spots = matching(level, wanted);
    if (spots.length === 0) return;
    this.matchAt = (this.matchAt + 1) % spots.length;
    const spot = spots[this.matchAt] as Spot;
    this.choose(spot, true);
    this.map.reveal(spot);
    this.live.textContent = spoken(this.site, spot.cell);
  }

  private async copyLink(): Promise<void> {
    if (this.map) this.remember(this.map.view);
    try {
      await navigator.clipboard.writeText(location.href);
      this.say("Link copied");
    } catch {
      this.say(`The link to this view: ${location.href}`, true);
    }
  }

  // The panel ---------------------------------------------------------------------------------------------------------------

  private details(spot: Spot): void {
    const pick = (name: string) => {
      this.search.set(name);
      this.searched();
    };
    const name = className(this.site, spot.cell.classes[0]);
    this.panel.show(name ? shortName(name) : "A cell", cellDetails(this.site, this.atlas, spot, pick));
  }

  private rest(): void {
    this.panel.rest("Tap a picture", "About this atlas", about(this.site, this.layer, this.atlas));
  }

  private togglePanel(): void {
    if (this.pinned) this.close();
    else this.panel.open(!this.panel.isOpen);
  }

  private say(text: string, stay = false): void {
    this.message.textContent = text;
    clearTimeout(this.toast);
    if (!stay) this.toast = setTimeout(() => replace(this.message), 2500);
  }
}
