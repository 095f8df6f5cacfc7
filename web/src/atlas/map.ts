// The map itself: a canvas with pan and zoom, drawn from sprite sheets, that changes its grid with the zoom.

import { select } from "d3-selection";
import "d3-transition";
import { type D3ZoomEvent, type ZoomBehavior, type ZoomTransform, zoom, zoomIdentity } from "d3-zoom";
import { shortName } from "../format";
import { chooseGrid, type Level, type Spot } from "./level";

/** What is in view: the centre as a point of the map in [0, 1]², and how many times larger than at home. */
export interface View {
  x: number;
  y: number;
  k: number;
}

export interface Wishes {
  grids: number[];
  classes: string[];
  /** A level, or null while it is on its way. */
  level(grid: number): Level | null;
  /** Pixels at the bottom that the map at home leaves free, and those that are covered right now. */
  foot(): { home: number; now: number };
  onView(view: View): void;
  onLevel(level: Level): void;
  onHover(spot: Spot | null): void;
  onPick(spot: Spot | null): void;
}

const FADE = 260; // ms
const EDGE = 0.5; // pixels of a sprite's border left out, so that its neighbours do not shine through
const EVERY_NAME = 92; // from this many pixels on, every icon carries its name
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

interface Ink {
  paper: string;
  ink: string;
  accent: string;
  font: string;
}

export class AtlasMap {
  labels = true;
  hovered: Spot | null = null;
  chosen: Spot | null = null;
  /** Outlined beside the chosen one. */
  marked: Spot[] = [];
  /** What is looked for: other cells fade. Null: no search. */
  wanted: ((spot: Spot) => boolean) | null = null;

  private readonly context: CanvasRenderingContext2D;
  private readonly behaviour: ZoomBehavior<HTMLCanvasElement, unknown>;
  private transform: ZoomTransform = zoomIdentity;
  private width = 0;
  private height = 0;
  private frame = 0;
  /** Ends the flight under way at once, where a resize would cut it off. */
  private arrive: (() => void) | null = null;
  private stopped = false;
  private level: Level | null = null;
  private stale = false;
  private fading: { from: Level; start: number } | null = null;
  private ink: Ink;
  private readonly stops: (() => void)[] = [];
  private readonly texts = new Map<string, Lettering>();

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly wishes: Wishes,
  ) {
    this.context = canvas.getContext("2d") as CanvasRenderingContext2D;
    this.ink = this.readInk();
    this.behaviour = zoom<HTMLCanvasElement, unknown>()
      .duration(still() ? 0 : 250)
      .on("zoom", (event: D3ZoomEvent<HTMLCanvasElement, unknown>) => this.zoomed(event.transform))
      .on("end", () => {
        this.arrive = null;
        if (!this.stopped) this.wishes.onView(this.view);
      });
    select(canvas).call(this.behaviour);
    this.listen();
  }

  /** The square of the map at home: its side and its corner. */
  private get home(): { side: number; left: number; top: number } {
    const bottom = Math.min(this.wishes.foot().home, this.height / 2);
    const free = this.height - bottom;
    const side = Math.max(40, Math.min(this.width, free) - 24);
    return { side, left: (this.width - side) / 2, top: (free - side) / 2 };
  }

  get view(): View {
    const { side, left, top } = this.home;
    const [x, y] = this.transform.invert([this.width / 2, this.height / 2]);
    return { x: (x - left) / side, y: (y - top) / side, k: this.transform.k };
  }

  get shownGrid(): number | null {
    return this.level?.grid ?? null;
  }

  get shownLevel(): Level | null {
    return this.level;
  }

  /** Pixels that one side of the whole map takes now. */
  private get span(): number {
    return this.home.side * this.transform.k;
  }

  stop(): void {
    this.stopped = true;
    cancelAnimationFrame(this.frame);
    select(this.canvas).interrupt().on(".zoom", null);
    for (const each of this.stops) each();
  }

  resize(): void {
    const view = this.width ? this.view : null;
    const box = this.canvas.getBoundingClientRect();
    const dpr = Math.min(3, devicePixelRatio || 1);
    [this.width, this.height] = [box.width, box.height];
    [this.canvas.width, this.canvas.height] = [Math.round(box.width * dpr), Math.round(box.height * dpr)];
    const { side, left, top } = this.home;
    const finest = Math.max(...this.wishes.grids, 1);
    const room = side * 0.5;
    this.behaviour
      .extent([
        [0, 0],
        [this.width, this.height],
      ])
      .scaleExtent([0.8, Math.max(4, (finest * 260) / side)])
      .translateExtent([
        [Math.min(0, left - room), Math.min(0, top - room)],
        [Math.max(this.width, left + side + room), Math.max(this.height, top + side + room)],
      ]);
    if (this.arrive) this.arrive();
    else if (view) this.go(view, 0);
    this.redraw();
  }

  go(view: View, duration = 600): void {
    if (duration > 0) this.arrive = () => this.go(view, 0);
    const { side, left, top } = this.home;
    const k = Math.min(Math.max(view.k, this.behaviour.scaleExtent()[0]), this.behaviour.scaleExtent()[1]);
    const target = zoomIdentity
      .translate(this.width / 2, this.height / 2)
      .scale(k)
      .translate(-(left + view.x * side), -(top + view.y * side));
    this.to(target, duration);
  }

  goHome(): void {
    this.arrive = () => this.to(zoomIdentity, 0);
    this.to(zoomIdentity, 700);
  }

  zoomBy(factor: number): void {
    const selection = select(this.canvas);
    if (still()) selection.call(this.behaviour.scaleBy, factor);
    else selection.transition().duration(250).call(this.behaviour.scaleBy, factor);
  }

  private to(target: ZoomTransform, duration: number): void {
    const selection = select(this.canvas);
    if (still() || duration === 0) selection.call(this.behaviour.transform, target);
    else selection.transition().duration(duration).call(this.behaviour.transform, target);
  }

  /** Moves just far enough that the cell is in view, clear of what covers the map. */
  reveal(spot: Spot): void {
    const { x, y, size } = this.box(spot);
    const margin = Math.min(32, size / 2);
    const shift = (low: number, high: number, end: number) =>
      low < margin ? margin - low : high > end - margin ? end - margin - high : 0;
    const dx = shift(x, x + size, this.width);
    const dy = shift(y, y + size, this.height - this.wishes.foot().now);
    if (dx || dy) this.to(zoomIdentity.translate(this.transform.x + dx, this.transform.y + dy).scale(this.transform.k), 250);
  }

  /** Where a cell lies on the screen. */
  box({ level, cell }: Spot): { x: number; y: number; size: number } {
    const { side, left, top } = this.home;
    const [x, y] = this.transform.apply([left + (cell.col / level.grid) * side, top + (cell.row / level.grid) * side]);
    return { x, y, size: this.span / level.grid };
  }

  /** The rectangle in view, in map coordinates. */
  get window(): { x: number; y: number; width: number; height: number } {
    const { side, left, top } = this.home;
    const [x, y] = this.transform.invert([0, 0]);
    return { x: (x - left) / side, y: (y - top) / side, width: this.width / this.span, height: this.height / this.span };
  }

  /** Asks for the level once more: it lies another way now. */
  renew(): void {
    this.stale = true;
    this.redraw();
  }

  redraw(): void {
    if (!this.frame) this.frame = requestAnimationFrame((now) => this.draw(now));
  }

  private zoomed(transform: ZoomTransform): void {
    this.transform = transform;
    this.redraw();
  }

  private spotAt(event: MouseEvent): Spot | null {
    const bounds = this.canvas.getBoundingClientRect();
    const { side, left, top } = this.home;
    const [x, y] = this.transform.invert([event.clientX - bounds.left, event.clientY - bounds.top]);
    return this.level?.under((x - left) / side, (y - top) / side) ?? null;
  }

  private listen(): void {
    const hover = (event: PointerEvent) => {
      if (event.pointerType === "mouse" && event.buttons === 0) this.hover(this.spotAt(event));
    };
    const leave = () => this.hover(null);
    const click = (event: MouseEvent) => this.wishes.onPick(this.spotAt(event));
    this.canvas.addEventListener("pointermove", hover);
    this.canvas.addEventListener("pointerleave", leave);
    this.canvas.addEventListener("click", click);
    const sizes = new ResizeObserver(() => this.resize());
    sizes.observe(this.canvas);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const repaint = () => {
      this.ink = this.readInk();
      this.redraw();
    };
    scheme.addEventListener("change", repaint);
    this.stops.push(
      () => sizes.disconnect(),
      () => scheme.removeEventListener("change", repaint),
    );
  }

  private hover(spot: Spot | null): void {
    if (spot?.cell === this.hovered?.cell) return;
    this.hovered = spot;
    this.canvas.classList.toggle("over-cell", spot !== null);
    this.wishes.onHover(spot);
    this.redraw();
  }

  private readInk(): Ink {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    return {
      paper: colour("--paper"),
      ink: colour("--ink"),
      accent: colour("--accent"),
      font: getComputedStyle(document.body).fontFamily,
    };
  }

  // Drawing -----------------------------------------------------------------------------------------------------------------

  private draw(now: number): void {
    this.frame = 0;
    const dpr = this.canvas.width / Math.max(1, this.width);
    this.context.setTransform(dpr, 0, 0, dpr, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    this.context.imageSmoothingQuality = "high";
    this.changeLevel(now);
    if (!this.level) return;
    const share = this.fading ? Math.min(1, (now - this.fading.start) / (still() ? 1 : FADE)) : 1;
    if (this.fading) {
      this.drawIcons(this.fading.from, share < 0.5 ? 1 : 2 * (1 - share));
      if (share === 1) this.fading = null;
      else this.redraw();
    }
    this.drawIcons(this.level, share);
    if (this.labels) this.drawLabels(this.level, share);
    for (const each of this.marked) if (each.level === this.level) this.outline(each, 2, this.ink.accent);
    if (this.hovered && this.hovered.level === this.level) this.outline(this.hovered, 2, this.ink.ink);
    if (this.chosen && this.chosen.level === this.level) this.outline(this.chosen, 3, this.ink.accent);
  }

  /** Takes the grid that suits the zoom once its icons are there; until then the old one stays. */
  private changeLevel(now: number): void {
    const grid = chooseGrid(this.wishes.grids, this.span);
    if (this.level?.grid === grid && !this.stale) return;
    const next = this.wishes.level(grid);
    if (!next || (this.level && this.visible(next).some((i) => next.image(i) === "loading"))) return;
    if (this.level) this.fading = { from: this.level, start: now };
    this.level = next;
    this.stale = false;
    this.hover(null);
    this.wishes.onLevel(next);
  }

  /** The positions of the cells on the screen. */
  private visible(level: Level): number[] {
    const { x, y, width, height } = this.window;
    const range = (start: number, length: number): [number, number] => [
      Math.max(0, Math.floor(start * level.grid)),
      Math.min(level.grid - 1, Math.floor((start + length) * level.grid)),
    ];
    const [[top, bottom], [left, right]] = [range(y, height), range(x, width)];
    const found: number[] = [];
    for (let row = top; row <= bottom; row++) {
      for (let col = left; col <= right; col++) {
        const spot = level.find(row, col);
        if (spot) found.push(spot.index);
      }
    }
    return found;
  }

  private matches(spot: Spot): boolean {
    return this.wanted === null || this.wanted(spot);
  }

  private drawIcons(level: Level, alpha: number): void {
    const { tile } = level.card.icons;
    for (const i of this.visible(level)) {
      const picture = level.image(i);
      if (picture === null || picture === "loading") continue;
      const spot = level.spot(i) as Spot;
      const { x, y, size } = this.box(spot);
      const side = size * (level.scale[i] ?? 1);
      const inset = (size - side) / 2;
      this.context.globalAlpha = alpha * (this.matches(spot) ? 1 : 0.13);
      this.context.drawImage(
        picture.image,
        picture.x + EDGE,
        picture.y + EDGE,
        tile - 2 * EDGE,
        tile - 2 * EDGE,
        x + inset,
        y + inset,
        side,
        side,
      );
    }
    this.context.globalAlpha = 1;
  }

  /** Names over the icons: every cell where there is room, each region of one class once where there is not. */
  private drawLabels(level: Level, alpha: number): void {
    const size = this.span / level.grid;
    if (size < 40) return;
    const { context } = this;
    const every = size >= EVERY_NAME;
    const points = Math.round(Math.min(14, Math.max(10.5, size / 8)));
    const inside = (i: number) => {
      const { x, y } = this.box(level.spot(i) as Spot);
      return x >= 0 && y >= 0 && x + size <= this.width && y + size <= this.height;
    };
    const matching = this.visible(level).filter((i) => this.matches(level.spot(i) as Spot));
    const order = every ? matching : level.spokesmen(matching.filter(inside));
    context.textAlign = "center";
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = "rgba(12, 12, 14, 0.82)";
    context.fillStyle = "#fff";
    context.globalAlpha = alpha;
    const taken: Box[] = [];
    for (const i of order) {
      const spot = level.spot(i) as Spot;
      const top = spot.cell.classes[0];
      const name = top && this.wishes.classes[top.index];
      if (name) this.label(spot, this.lettering(shortName(name), points, every ? size - 5 : 1.9 * size), every ? null : taken);
    }
    context.globalAlpha = 1;
  }

  private label(spot: Spot, { lines, points, width }: Lettering, taken: Box[] | null): void {
    const { x, y, size } = this.box(spot);
    const inView = x >= 0 && x + size <= this.width;
    const middle = inView ? Math.min(Math.max(x + size / 2, width / 2 + 4), this.width - width / 2 - 4) : x + size / 2;
    const [bottom, height] = [y + size - Math.max(6, size * 0.1), lines.length * (points + 1)];
    const box = { left: middle - width / 2 - 6, right: middle + width / 2 + 6, top: bottom - height, bottom: bottom + 3 };
    if (taken?.some((each) => overlap(each, box))) return;
    taken?.push(box);
    this.context.font = `600 ${points}px ${this.ink.font}`;
    for (const [i, line] of lines.entries()) {
      const at = bottom - (lines.length - 1 - i) * (points + 1);
      this.context.strokeText(line, middle, at);
      this.context.fillText(line, middle, at);
    }
  }

  /** A name in at most two lines that fit; a little smaller where that helps, the rest cut with an ellipsis. */
  private lettering(name: string, points: number, width: number): Lettering {
    const key = `${points} ${Math.round(width / 4)} ${name}`;
    const known = this.texts.get(key);
    if (known) return known;
    const measure = (text: string) => this.context.measureText(text).width;
    this.context.font = `600 ${points}px ${this.ink.font}`;
    const lines = broken(name, (text) => measure(text) <= width);
    const widest = Math.max(...lines.map(measure));
    const smaller = Math.max(Math.min(points, 9), Math.min(points, (points * width) / widest));
    this.context.font = `600 ${smaller}px ${this.ink.font}`;
    const fitted = lines.map((line) => cut(line, (text) => measure(text) <= width + 0.5));
    const lettering = { lines: fitted, points: smaller, width: Math.max(...fitted.map(measure)) };
    if (this.texts.size > 4000) this.texts.clear();
    this.texts.set(key, lettering);
    return lettering;
  }

  private outline(spot: Spot, width: number, colour: string): void {
    const { x, y, size } = this.box(spot);
    const { context } = this;
    context.lineJoin = "miter";
    context.lineWidth = width + 3;
    context.strokeStyle = this.ink.paper;
    context.strokeRect(x, y, size, size);
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.strokeRect(x, y, size, size);
  }
}

interface Lettering {
  lines: string[];
  points: number;
  width: number;
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** Words on at most two lines: as many on the first as fit. */
function broken(name: string, fits: (text: string) => boolean): string[] {
  const words = name.trim().split(/\s+/);
  let first = words.shift() ?? "";
  while (words.length > 0 && fits(`${first} ${words[0]}`)) first += ` ${words.shift()}`;
  return [first, words.join(" ")].filter(Boolean);
}

function cut(text: string, fits: (text: string) => boolean): string {
  if (fits(text)) return text;
  let end = text.length - 1;
  while (end > 1 && !fits(`${text.slice(0, end)}…`)) end--;
  return `${text.slice(0, end)}…`;
}
