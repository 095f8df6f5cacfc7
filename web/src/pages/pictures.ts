// The pictures of the run as a wall, alike ones side by side; one of them chosen, and the nearest to it in each layer.

import { foot, mapKey, mapKeys, Panel, zoomControls } from "../atlas/frame";
import { Level, type Spot } from "../atlas/level";
import { AtlasMap } from "../atlas/map";
import * as data from "../data";
import { h, replace } from "../dom";
import { count, shortName } from "../format";
import { layerOf, type Page } from "../parts";
import { type Route, to } from "../route";
import type { LayerCard, Picture, PicturesPage, Site, Sprites, Wall } from "../schema";
import { nearest, pictureHead, pictureName } from "../wall/nearest";
import { wallSearch } from "../wall/search";

const ZOOMED = 56; // pixels of a tile to which a link to a picture zooms

export function picturesView(site: Site, page: PicturesPage, query: URLSearchParams): Page {
  if (site.wall === null || page.pictures.length === 0)
    throw new data.Trouble("There is no wall of pictures in this site.", "It was built from one picture only.");
  return new WallPage(site, site.wall, page.pictures, query).page;
}

interface State {
  layer: LayerCard;
  chosen: number | null;
  find: string;
}

class WallPage {
  readonly page: Page;
  private readonly canvas: HTMLCanvasElement;
  private readonly panel = new Panel("Wall", "Pictures", () => this.togglePanel());
  private readonly live = h("p", { class: "unseen", "aria-live": "polite", id: "map-live" });
  private readonly note = h("p", { class: "level-note" });
  private readonly message = h("p", { class: "map-message", role: "status" });
  private readonly heading = h("h1", { class: "unseen" }, "The pictures");
  private readonly places: Map<number, number>;
  private readonly search = wallSearch(this.site, this.pictures, {
    layer: (id) => this.go({ layer: layerOf(this.site, id) }),
    find: () => this.filtered(),
    next: () => this.nextMatch(),
  });
  private readonly side = Math.ceil(Math.sqrt(this.pictures.length));
  private state: State;
  private map: AtlasMap | null = null;
  private level: Level | null = null;
  private matchAt = -1;

  constructor(
    private readonly site: Site,
    private readonly thumbs: Sprites,
    private readonly pictures: Picture[],
    query: URLSearchParams,
  ) {
    this.places = new Map(pictures.map((each, place) => [each.image, place]));
    this.state = this.read(query);
    this.canvas = h("canvas", {
      class: "map-canvas",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "wall of pictures",
      "aria-label":
        "Wall of pictures: arrow keys go from picture to picture, Enter shows the nearest to it, plus and minus zoom, 0 shows everything",
      on: { keydown: (event) => this.key(event), blur: () => this.canvas.classList.remove("keyboard") },
    });
    const tools = h("div", { class: "map-foot" }, h("div", { class: "map-tools" }, this.note));
    const map = h(
      "div",
      { class: "map" },
      this.canvas,
      this.search.element,
      zoomControls(() => this.map),
      tools,
      this.message,
      this.live,
    );
    this.page = {
      title: "Pictures",
      crumbs: [{ text: "pictures" }],
      main: h("main", { class: "atlas wall" }, this.heading, map, this.panel.element),
      full: true,
      start: () => this.start(),
      stop: () => this.map?.stop(),
      follow: (route) => this.follow(route),
    };
    this.rest();
  }

  private start(): void {
    const names = [...new Set(this.pictures.map((each) => pictureName(this.site, each)))];
    const index = new Map(names.map((name, i) => [name, i]));
    this.map = new AtlasMap(this.canvas, {
      grids: [this.side],
      classes: names,
      level: () => this.level,
      foot: () => foot(this.panel.element),
      onView: () => undefined,
      onLevel: (level) => this.arranged(level),
      onHover: (spot) => this.pointed(spot),
      onPick: (spot) => this.picked(spot),
    });
    this.map.labels = false;
    this.map.resize();
    this.search.set(this.state.layer.id, this.state.find);
    this.filtered(false);
    void this.arrange((each) => index.get(pictureName(this.site, each)) ?? 0);
    if (this.state.chosen !== null) void this.details(this.state.chosen);
  }

  // The address -------------------------------------------------------------------------------------------------------------

  private read(query: URLSearchParams): State {
    const asked = query.get("layer");
    const last = this.site.layers[this.site.layers.length - 1] as LayerCard;
    const image = query.get("picture");
    const chosen = image === null ? null : this.places.get(Number(image));
    if (chosen === undefined) throw new data.Trouble(`Picture ${image} is not on this site’s wall.`, this.drawn());
    return { layer: asked === null ? last : layerOf(this.site, asked), chosen, find: query.get("find") ?? "" };
  }

  private address(state: State): string {
    const query = new URLSearchParams({ layer: state.layer.id });
    if (state.chosen !== null) query.set("picture", String(this.pictures[state.chosen]?.image));
    if (state.find) query.set("find", state.find);
    return to.pictures(query);
  }

  /** To another state by the address, so that the way back leads here. */
  private go(change: Partial<State>): void {
    location.hash = this.address({ ...this.state, ...change });
  }

  private follow(route: Route): boolean {
    if (route.page !== "pictures") return false;
    let next: State;
    try {
      next = this.read(route.query);
    } catch {
      return false; // the page that takes this one's place says why
    }
    const { layer, chosen } = this.state;
    this.state = next;
    this.search.set(next.layer.id, next.find);
    this.filtered(false);
    if (next.layer !== layer) void this.arrange();
    if (next.chosen !== chosen) {
      if (next.chosen === null) this.rest();
      else void this.details(next.chosen);
    }
    return true;
  }

  // The wall ----------------------------------------------------------------------------------------------------------------

  private regions: (picture: Picture) => number = () => 0;

  /** Brings the pictures into the order of the layer. */
  private async arrange(regions = this.regions): Promise<void> {
    this.regions = regions;
    const { layer } = this.state;
    try {
      const wall = await data.wall(layer.id);
      if (layer !== this.state.layer) return;
      this.level = this.levelOf(wall);
      this.map?.renew();
    } catch (error) {
      this.say((error as Error).message);
    }
  }

  private levelOf(wall: Wall): Level {
    const cells = this.pictures.map((picture, i) => {
      const tile = wall.tiles[i] ?? 0;
      const [row, col] = [Math.floor(tile / wall.side), tile % wall.side];
      return { row, col, count: 1, cosine: 0, classes: [{ index: this.regions(picture), value: 1 }], examples: [] };
    });
    const card = { grid: wall.side, cells: cells.length, icons: this.thumbs };
    const level: Level = new Level(card, { grid: wall.side, cells }, () => {
      if (level.lost > 0) this.say(`${count(level.lost, "sheet")} of pictures could not be loaded; the site may be incomplete.`);
      this.map?.redraw();
    });
    level.scale.fill(1); // tiles touch
    return level;
  }

  private arranged(level: Level): void {
    const first = this.canvas.dataset.layer === undefined;
    this.canvas.dataset.layer = this.state.layer.id;
    const at = this.map?.chosen?.index ?? this.state.chosen;
    if (this.map && at !== null) {
      const spot = level.spot(at);
      this.map.chosen = spot;
      if (spot && first && this.state.chosen !== null) {
        const { row, col } = spot.cell;
        const k = Math.max(1, ZOOMED / this.map.box(spot).size);
        this.map.go({ x: (col + 0.5) / level.grid, y: (row + 0.5) / level.grid, k }, 0);
      }
      if (spot) this.map.reveal(spot);
    }
    this.pointed(null);
    void this.mark();
  }

  /** Outlines where the nearest of the chosen picture hang. */
  private async mark(): Promise<void> {
    const { layer, chosen } = this.state;
    const near = chosen === null ? [] : ((await data.wall(layer.id)).neighbours.near[chosen] ?? []);
    if (!this.map || chosen !== this.state.chosen || layer !== this.state.layer) return;
    this.map.marked = near.flatMap((place) => this.level?.spot(place) ?? []);
    this.map.redraw();
  }

  private pointed(spot: Spot | null): void {
    const picture = this.pictures[(spot ?? this.map?.chosen)?.index ?? -1];
    this.note.textContent = picture ? `${shortName(pictureName(this.site, picture))} · ${picture.name}` : this.drawn();
  }

  private picked(spot: Spot | null): void {
    this.canvas.classList.remove("keyboard");
    this.choose(spot === null || spot.index === this.state.chosen ? null : spot.index);
  }

  private choose(chosen: number | null): void {
    if (chosen !== this.state.chosen) this.go({ chosen });
    else if (chosen === null) this.panel.open(false);
  }

  private key(event: KeyboardEvent): void {
    mapKey(event, this.canvas, this.map, {
      move: (down, right) => this.move(down, right),
      enter: () => (this.map?.chosen ? this.choose(this.map.chosen.index) : this.move(0, 1)),
      escape: () => this.choose(null),
    });
  }

  private move(down: number, right: number): void {
    if (!this.map || !this.level) return;
    const { chosen, view } = this.map;
    const next = chosen ? this.level.beside(chosen.cell, down, right) : this.level.nearest(view.x, view.y);
    if (next) this.moveTo(next);
  }

  private moveTo(spot: Spot): void {
    if (!this.map) return;
    this.map.chosen = spot;
    this.map.reveal(spot);
    this.map.redraw();
    this.pointed(spot);
    this.live.textContent = `${this.note.textContent}. Row ${spot.cell.row + 1}, column ${spot.cell.col + 1}.`;
  }

  private filtered(remember = true): void {
    if (!this.map) return;
    const wanted = this.search.wanted();
    this.map.wanted = wanted && ((spot) => wanted.has(spot.index));
    this.matchAt = -1;
    this.map.redraw();
    if (!remember) return;
    this.state = { ...this.state, find: this.search.text() };
    history.replaceState(null, "", this.address(this.state));
  }

  private nextMatch(): void {
    const wanted = [...(this.search.wanted() ?? [])];
    if (wanted.length === 0) return;
    this.matchAt = (this.matchAt + 1) % wanted.length;
    const spot = this.level?.spot(wanted[this.matchAt] as number);
    if (spot) this.moveTo(spot);
  }

  // The panel ---------------------------------------------------------------------------------------------------------------

  private async details(place: number): Promise<void> {
    const picture = this.pictures[place] as Picture;
    const focused = this.panel.element.contains(document.activeElement);
    const content = h("div", { class: "cell" }, pictureHead(this.site, this.thumbs, picture, place));
    this.panel.show(shortName(pictureName(this.site, picture)), content);
    this.panel.open(true);
    if (focused) content.querySelector<HTMLElement>("h2")?.focus({ preventScroll: true });
    const spot = this.level?.spot(place);
    if (spot) this.moveTo(spot);
    void this.mark();
    try {
      const found = await nearest(this.site, this.thumbs, this.pictures, place, (other) =>
        this.address({ ...this.state, chosen: other }),
      );
      if (this.state.chosen !== place) return;
      content.append(found);
      this.live.textContent = `The nearest to ${picture.name} stand in the details.`;
    } catch (error) {
      this.say((error as Error).message);
    }
  }

  private rest(): void {
    if (this.map) {
      this.map.chosen = null;
      this.map.marked = [];
      this.map.redraw();
    }
    this.panel.open(false);
    const about = h(
      "div",
      { class: "about" },
      h(
        "p",
        {},
        "Every picture has one tile. Those that a layer answers alike to hang side by side; another layer sorts them another way.",
      ),
      h("p", {}, "Choose a picture to see the nearest to it in each layer, beside the nearest by pixels alone."),
      h("p", { class: "hint" }, this.drawn()),
      mapKeys("the nearest to it"),
    );
    this.panel.rest("Tap a picture", "About this wall", about);
    this.pointed(null);
  }

  private drawn(): string {
    const [shown, all] = [this.pictures.length, this.site.dataset?.pictures ?? 0];
    return shown < all ? `${count(shown, "picture")}, drawn evenly from ${all.toLocaleString("en")}` : count(shown, "picture");
  }

  private togglePanel(): void {
    if (this.state.chosen !== null) this.choose(null);
    else this.panel.open(!this.panel.isOpen);
  }

  private say(text: string): void {
    replace(this.message, text);
  }
}
