// What lights up where: for each choice a map over every place that it has to do with.

import { number } from "../format";
import type { Numbers } from "./numbers";
import { minus, sum, total } from "./packed";
import type { Choice, Shown } from "./picker";

export interface Heat {
  values: Float32Array;
  place: number; // whose cells they are
  text: string;
}

/** The map that a place shows; none where the choice says nothing of it. */
export function heatOf(numbers: Numbers, shown: Shown, place: number): Heat | null {
  const { choice } = shown;
  if (choice === null) return classHeat(numbers, shown, place);
  if (choice.kind === "cell") return cellHeat(numbers, choice, place);
  if (choice.kind === "factor") return factorHeat(numbers, choice, place);
  return choice.kind === "channel" ? channelHeat(numbers, choice, place) : groupHeat(numbers, choice, place);
}

export function classText(numbers: Numbers, { a, b }: Shown): string {
  return b === null ? numbers.className(a) : `${numbers.className(a)} rather than ${numbers.className(b)}`;
}

function classHeat(numbers: Numbers, shown: Shown, place: number): Heat {
  const gives = numbers.of(numbers.place(place).gives);
  const values = minus(gives[shown.a] as Float32Array, shown.b === null ? undefined : gives[shown.b]);
  return { values, place, text: `what speaks for ${classText(numbers, shown)}` };
}

function cellHeat(numbers: Numbers, { place: at, index }: Choice, place: number): Heat | null {
  if (place === at) return null;
  const values = place < at ? numbers.influences(place, at, index) : numbers.influenced(at, place, index);
  return values ? { values, place, text: place < at ? "what influences the cell" : "what the cell influences" } : null;
}

/** On the picture the map of the layer itself is shown. */
function channelHeat(numbers: Numbers, { place: at, index }: Choice, place: number): Heat | null {
  const layer = numbers.layer(at);
  if (!layer || (place !== at && place !== 0)) return null;
  return { values: numbers.of(layer.maps)[index] as Float32Array, place: at, text: "where the channel answers" };
}

function groupHeat(numbers: Numbers, { place: at, index }: Choice, place: number): Heat | null {
  const layer = numbers.layer(at);
  if (!layer) return null;
  if (place === at || place === 0)
    return { values: numbers.of(layer.group_maps)[index] as Float32Array, place: at, text: "where the group answers" };
  const other = numbers.layer(place);
  const flow = numbers.page.flows[Math.min(at, place) - 1];
  if (!other || !flow || Math.abs(at - place) !== 1) return null;
  const weights = place < at ? flow.given.map((row) => row[index] ?? 0) : (flow.given[index] ?? []);
  const parts = numbers.of(other.group_maps).map((map, i) => ({ map, weight: (weights[i] ?? 0) / (total(map) || 1) }));
  return { values: sum(parts), place, text: place < at ? "groups that the group comes from" : "groups that it goes into" };
}

function factorHeat(numbers: Numbers, { index }: Choice, place: number): Heat | null {
  const maps = numbers.page.factors[index]?.maps ?? [];
  const at = place === 0 ? maps.length : place; // on the picture that of the deepest layer
  const map = maps[at - 1];
  return map
    ? { values: Float32Array.from(numbers.of(map).flatMap((row) => [...row])), place: at, text: "where it is spoken for them" }
    : null;
}

/** What a choice gives to each of the classes; none where that is not known. */
export function givenTo(numbers: Numbers, choice: Choice): number[] | null {
  const layer = numbers.layer(choice.place);
  if (choice.kind === "cell") return numbers.of(numbers.place(choice.place).gives).map((map) => map[choice.index] ?? 0);
  if (choice.kind === "channel")
    return layer?.ways.find((way) => way.name === "path")?.gives.map((row) => row[choice.index] ?? 0) ?? null;
  if (choice.kind === "group") return layer?.groups[choice.index]?.gives ?? null;
  return null;
}

/** A choice in words. */
export function describe(numbers: Numbers, { kind, place, index }: Choice): string {
  if (kind === "factor") return `Factor ${index + 1}`;
  const where = numbers.placeName(place);
  const { cols } = numbers.place(place);
  if (kind === "cell") return `Row ${Math.floor(index / cols) + 1}, column ${(index % cols) + 1} of ${where}`;
  if (kind === "channel") return `Channel ${numbers.layer(place)?.channels[index]} of ${where}`;
  return `Group ${index + 1} of ${where}`;
}

export const percent = (share: number) => (share > 0 && share < 1e-4 ? "< 0.01 %" : `${number(100 * share)} %`);
