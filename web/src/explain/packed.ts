// Numbers that lie on disk as a byte each.

import type { Packed } from "../schema";

/** For each place on the first axis its numbers. */
export function unpack(packed: Packed): Float32Array[] {
  const bytes = atob(packed.bytes);
  const size = packed.scales.length > 0 ? bytes.length / packed.scales.length : 0;
  return packed.scales.map((scale, row) =>
    Float32Array.from({ length: size }, (_, i) => {
      const byte = bytes.charCodeAt(row * size + i);
      return ((byte > 127 ? byte - 256 : byte) / 127) * scale;
    }),
  );
}

export const minus = (first: Float32Array, second: Float32Array | undefined) =>
  second ? first.map((value, i) => value - (second[i] ?? 0)) : first;

export function sum(parts: { map: Float32Array; weight: number }[]): Float32Array {
  const total = new Float32Array(parts[0]?.map.length ?? 0);
  for (const { map, weight } of parts) for (let i = 0; i < total.length; i++) total[i] = (total[i] ?? 0) + weight * (map[i] ?? 0);
  return total;
}

export const total = (values: ArrayLike<number>) => Array.from(values).reduce((all, each) => all + each, 0);

export const largest = (values: ArrayLike<number>) => Array.from(values).reduce((most, each) => Math.max(most, Math.abs(each)), 0);
