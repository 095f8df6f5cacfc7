// The cells of one zoom level: looked up by place, by class, by neighbourhood.

import type { AtlasLevel, Cell, LevelCard } from "../schema";
import { loadPicture, place } from "../sprites";

export interface Spot {
  level: Level;
  cell: Cell;
  index: number;
}

/** Which of the grids to show when one side of the whole map is `pixels` long: icons of about 50 to 110 pixels. */
export function chooseGrid(grids: number[], pixels: number): number {
  const off = (grid: number) => Math.abs(Math.log(pixels / grid / 74));
  return grids.reduce((best, grid) => (off(grid) < off(best) ? grid : best), grids[0] ?? 1);
}

export class Level {
  readonly grid: number;
  readonly cells: Cell[];
  private readonly at: Int32Array;
  private readonly images: (HTMLImageElement | "loading" | "lost" | undefined)[] = [];
  /** For each cell its region: connected cells of one top class. */
  readonly regions: { size: number }[];
  readonly scale: number[];

  constructor(
    readonly card: LevelCard,
    data: AtlasLevel,
    private readonly changed: () => void,
  ) {
    this.grid = card.grid;
    this.cells = data.cells.slice(0, card.icons.count);
    this.at = new Int32Array(this.grid * this.grid).fill(-1);
    for (const [i, cell] of this.cells.entries()) {
      if (cell.row >= 0 && cell.row < this.grid && cell.col >= 0 && cell.col < this.grid)
        this.at[cell.row * this.grid + cell.col] = i;
    }
    this.regions = this.findRegions();
    const typical = median(this.cells.map((cell) => cell.count)) || 1;
    this.scale = this.cells.map((cell) => 0.72 + 0.24 * Math.min(1, Math.sqrt(cell.count / typical)));
  }

  spot(index: number): Spot | null {
    const cell = this.cells[index];
    return cell ? { level: this, cell, index } : null;
  }

  find(row: number, col: number): Spot | null {
    if (row < 0 || col < 0 || row >= this.grid || col >= this.grid) return null;
    return this.spot(this.at[row * this.grid + col] ?? -1);
  }

  /** The cell at a point of the map, if there is one. */
  under(x: number, y: number): Spot | null {
    return this.find(Math.floor(y * this.grid), Math.floor(x * this.grid));
  }

  nearest(x: number, y: number): Spot | null {
    return this.best((cell) => Math.hypot((cell.col + 0.5) / this.grid - x, (cell.row + 0.5) / this.grid - y));
  }

  /** The next cell to one side: straight ahead before aside, in a cone of 45 degrees, then anything on that side. */
  beside(from: Cell, down: number, right: number): Spot | null {
    const cost = (cone: boolean) => (cell: Cell) => {
      const [rows, cols] = [cell.row - from.row, cell.col - from.col];
      const [ahead, aside] = [rows * down + cols * right, Math.abs(rows * right) + Math.abs(cols * down)];
      return ahead <= 0 || (cone && aside > ahead) ? Infinity : ahead + 2 * aside;
    };
    return this.best(cost(true)) ?? this.best(cost(false));
  }

  private best(cost: (cell: Cell) => number): Spot | null {
    let [index, lowest] = [-1, Infinity];
    for (const [i, cell] of this.cells.entries()) {
      const value = cost(cell);
      if (value < lowest) [index, lowest] = [i, value];
    }
    return this.spot(index);
  }

  /** The loaded sheet of a cell's icon, asked for on first use. */
  image(index: number): { image: HTMLImageElement; x: number; y: number } | null | "loading" {
    const at = place(this.card.icons, index);
    const path = at ? this.card.icons.sheets[at.sheet] : undefined;
    if (!at || path === undefined) return null;
    const image = this.images[at.sheet];
    if (image === undefined) {
      this.images[at.sheet] = "loading";
      const settle = (state: HTMLImageElement | "lost") => {
        this.images[at.sheet] = state;
        this.changed();
      };
      loadPicture(path).then(settle, () => settle("lost"));
      return "loading";
    }
    if (image === "loading") return "loading";
    if (image === "lost") return null;
    const { tile } = this.card.icons;
    return { image, x: at.col * tile, y: at.row * tile };
  }

  get lost(): number {
    return this.images.filter((each) => each === "lost").length;
  }

  private findRegions(): { size: number }[] {
    const seen = this.cells.map(() => false);
    const regions = this.cells.map(() => ({ size: 1 }));
    for (let start = 0; start < this.cells.length; start++) {
      if (seen[start]) continue;
      const cells = this.region(start, seen);
      const region = { size: cells.length };
      for (const i of cells) regions[i] = region;
    }
    return regions;
  }

  /** Of each region among these cells the one where its class is strongest, the largest regions first. */
  spokesmen(cells: number[]): number[] {
    const value = (i: number) => this.cells[i]?.classes[0]?.value ?? -Infinity;
    const best = new Map<{ size: number }, number>();
    for (const i of cells) {
      const region = this.regions[i];
      const other = region && best.get(region);
      if (region && (other === undefined || value(i) > value(other))) best.set(region, i);
    }
    return [...best].sort(([a], [b]) => b.size - a.size).map(([, i]) => i);
  }

  /** The connected cells with the same top class as the first one. */
  private region(start: number, seen: boolean[]): number[] {
    const top = (i: number) => this.cells[i]?.classes[0]?.index;
    const region = [start];
    seen[start] = true;
    for (let next = 0; next < region.length; next++) {
      const cell = this.cells[region[next] as number] as Cell;
      for (let place = 0; place < 9; place++) {
        const near = this.find(cell.row + Math.floor(place / 3) - 1, cell.col + (place % 3) - 1);
        if (near && !seen[near.index] && top(near.index) === top(start)) {
          seen[near.index] = true;
          region.push(near.index);
        }
      }
    }
    return region;
  }
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
