// What the reader has chosen: one cell, channel, group or factor, and the classes it is seen for. All figures follow it.

import { to } from "../route";
import type { Numbers } from "./numbers";

export type Kind = "cell" | "channel" | "group" | "factor";

export interface Choice {
  kind: Kind;
  place: number; // in ExplainPage.places; 0 for factors
  index: number; // of the cell, or in the layer's list of channels or groups
}

export interface Shown {
  a: number; // in ExplainPage.classes
  b: number | null; // the class whose share is taken off
  choice: Choice | null;
  pinned: boolean;
}

interface State {
  a: number;
  b: number | null;
  pin: Choice | null;
}

export const same = (one: Choice | null, other: Choice | null) =>
  one?.kind === other?.kind && one?.place === other?.place && one?.index === other?.index;

export class Picker {
  private state: State;
  private glance: Choice | null = null;
  private glancedClass: number | null = null;
  private readonly listeners: ((shown: Shown) => void)[] = [];

  constructor(
    private readonly numbers: Numbers,
    query: URLSearchParams,
  ) {
    this.state = this.read(query);
  }

  get shown(): Shown {
    const { a, b, pin } = this.state;
    const first = this.glancedClass ?? a;
    return {
      a: first,
      b: b === first ? null : b,
      choice: this.glance ?? pin,
      pinned: this.glance === null || same(this.glance, pin),
    };
  }

  get pin(): Choice | null {
    return this.state.pin;
  }

  onChange(listener: (shown: Shown) => void): void {
    this.listeners.push(listener);
    listener(this.shown);
  }

  /** Shows something for as long as the reader points at it. */
  look(choice: Choice | null): void {
    if (same(choice, this.glance)) return;
    this.glance = choice;
    this.tell();
  }

  lookAtClass(index: number | null): void {
    if (index === this.glancedClass) return;
    this.glancedClass = index;
    this.tell();
  }

  /** Keeps something, or lets it go when it is kept already. */
  hold(choice: Choice): void {
    const held = same(choice, this.state.pin);
    if (held) this.glance = null;
    this.go({ ...this.state, pin: held ? null : choice });
  }

  letGo(): void {
    const seen = this.glance !== null;
    this.glance = null;
    if (this.state.pin) this.go({ ...this.state, pin: null });
    else if (seen) this.tell();
  }

  forClass(a: number): void {
    this.go({ ...this.state, a, b: this.state.b === a ? null : this.state.b });
  }

  less(b: number | null): void {
    this.go({ ...this.state, b: b === this.state.a ? null : b });
  }

  /** The address has changed. */
  follow(query: URLSearchParams): void {
    this.state = this.read(query);
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener(this.shown);
  }

  /** To another state by the address, so that the way back leads here. */
  private go(state: State): void {
    const { page } = this.numbers;
    const query = new URLSearchParams();
    if (state.a > 0) query.set("class", String(page.classes[state.a]?.index));
    if (state.b !== null) query.set("less", String(page.classes[state.b]?.index));
    if (state.pin) query.set("pin", `${state.pin.kind}-${state.pin.place}-${this.named(state.pin)}`);
    location.hash = to.explain(page.id, query);
  }

  /** Channels by their own number, all else by its place. */
  private named({ kind, place, index }: Choice): number | undefined {
    return kind === "channel" ? this.numbers.layer(place)?.channels[index] : index;
  }

  private read(query: URLSearchParams): State {
    const { classes } = this.numbers.page;
    const find = (name: string) => classes.findIndex((each) => String(each.index) === query.get(name));
    const [a, b] = [Math.max(0, find("class")), find("less")];
    return { a, b: b >= 0 && b !== a ? b : null, pin: this.readPin(query.get("pin") ?? "") };
  }

  private readPin(text: string): Choice | null {
    const match = /^(cell|channel|group|factor)-(\d+)-(\d+)$/.exec(text);
    if (!match) return null;
    const [kind, place, number] = [match[1] as Kind, Number(match[2]), Number(match[3])];
    const layer = this.numbers.layer(place);
    const index = kind === "channel" ? (layer?.channels.indexOf(number) ?? -1) : number;
    const grid = this.numbers.page.places[place];
    const count = {
      cell: grid ? grid.rows * grid.cols : 0,
      channel: layer?.channels.length ?? 0,
      group: layer?.groups.length ?? 0,
      factor: place === 0 ? this.numbers.page.factors.length : 0,
    }[kind];
    return index >= 0 && index < count ? { kind, place, index } : null;
  }
}
