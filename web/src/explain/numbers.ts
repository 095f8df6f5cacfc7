// What an explained picture says, unpacked when it is asked for: every figure reads it here.

import { shortName } from "../format";
import type { Between, ExplainLayer, ExplainPage, Packed, Place, Site } from "../schema";
import { unpack } from "./packed";
import { type Box, boxOf } from "./paint";

export class Numbers {
  private readonly known = new Map<Packed, Float32Array[]>();

  constructor(
    readonly site: Site,
    readonly page: ExplainPage,
  ) {}

  place(index: number): Place {
    return this.page.places[index] as Place;
  }

  /** The layer of a place; none for the picture. */
  layer(place: number): ExplainLayer | undefined {
    return this.page.layers[place - 1];
  }

  of(packed: Packed): Float32Array[] {
    let values = this.known.get(packed);
    if (!values) {
      values = unpack(packed);
      this.known.set(packed, values);
    }
    return values;
  }

  placeName(place: number): string {
    return place === 0 ? "the picture" : this.place(place).name;
  }

  /** The name of one of the explained classes. */
  className(index: number): string {
    return this.nameOf(this.page.classes[index]?.index ?? -1);
  }

  nameOf(index: number): string {
    return shortName(this.site.classes[index] ?? `class ${index}`);
  }

  between(source: number, target: number): Between | undefined {
    return this.page.between.find((each) => each.source === source && each.target === target);
  }

  /** What each cell of the source gives to a cell of the target. */
  influences(source: number, target: number, cell: number): Float32Array | undefined {
    const between = this.between(source, target);
    return between && this.of(between.values)[cell];
  }

  /** What a cell of the source gives to each cell of the target. */
  influenced(source: number, target: number, cell: number): Float32Array | undefined {
    const between = this.between(source, target);
    return between && Float32Array.from(this.of(between.values), (row) => row[cell] ?? 0);
  }

  cellBox(place: number, cell: number): Box {
    const { rows, cols } = this.place(place);
    const [top, left, bottom, right] = boxOf(this.place(place));
    const [height, width] = [(bottom - top) / rows, (right - left) / cols];
    const [row, col] = [Math.floor(cell / cols), cell % cols];
    return [top + row * height, left + col * width, top + (row + 1) * height, left + (col + 1) * width];
  }

  /** The middle of a cell, as fractions of the picture. */
  middle(place: number, cell: number): [number, number] {
    const [top, left, bottom, right] = this.cellBox(place, cell);
    return [(top + bottom) / 2, (left + right) / 2];
  }

  /** The cell of a place that a point of the picture lies in, or the nearest. */
  cellAt(place: number, y: number, x: number): number {
    const { rows, cols } = this.place(place);
    const [top, left, bottom, right] = boxOf(this.place(place));
    const within = (share: number, count: number) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
    return within((y - top) / (bottom - top), rows) * cols + within((x - left) / (right - left), cols);
  }

  /** Where a layer answers most, which is where a reader may begin. */
  strongest(place: number): number {
    const sums = (this.layer(place)?.values ?? []).map((values) => values.reduce((all, each) => all + each, 0));
    return sums.indexOf(Math.max(...sums));
  }
}
