// Numbers and names as people read them.

/** Three significant digits, thousands separated: 1,240 · 12.4 · 0.0831 · 3.2e-7. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const magnitude = Math.abs(value);
  const text = magnitude >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
  return text.replace(/^-/, "−");
}

/** The same with a sign, for what can push both ways. */
export function signed(value: number): string {
  return value > 0 ? `+${number(value)}` : number(value);
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/** The first of several synonyms: "tench, Tinca tinca" is drawn as "tench". */
export function shortName(name: string): string {
  const comma = name.indexOf(",");
  return comma > 0 ? name.slice(0, comma) : name;
}
