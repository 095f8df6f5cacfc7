// Where the reader is, as a hash: #/, #/pictures?layer=…&picture=…, #/explain/ID?class=…, #/layer/ID, #/layer/ID/unit/CHANNEL,
// #/layer/ID/atlas?x=…

export type Route =
  | { page: "home" }
  | { page: "pictures"; query: URLSearchParams }
  | { page: "explain"; id: string; query: URLSearchParams }
  | { page: "layer"; layer: string; query: URLSearchParams }
  | { page: "unit"; layer: string; channel: number }
  | { page: "position"; layer: string; position: number } // a unit by its place in the layer's list: leads on to its page
  | { page: "atlas"; layer: string; query: URLSearchParams }
  | { page: "unknown"; hash: string };

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const parts = decoded(path.split("/").filter(Boolean));
  const [head, layer, kind, channel] = parts ?? ["malformed"];
  if (head === undefined) return { page: "home" };
  if (head === "pictures" && layer === undefined) return { page: "pictures", query: new URLSearchParams(query) };
  if (head === "explain" && layer !== undefined && kind === undefined)
    return { page: "explain", id: layer, query: new URLSearchParams(query) };
  if (head === "layer" && layer !== undefined) {
    if (kind === undefined) return { page: "layer", layer, query: new URLSearchParams(query) };
    if (kind === "atlas" && channel === undefined) return { page: "atlas", layer, query: new URLSearchParams(query) };
    if (kind === "unit" && channel !== undefined && /^\d+$/.test(channel)) return { page: "unit", layer, channel: Number(channel) };
    if (kind === "position" && channel !== undefined && /^\d+$/.test(channel))
      return { page: "position", layer, position: Number(channel) };
  }
  return { page: "unknown", hash };
}

function decoded(parts: string[]): string[] | null {
  try {
    return parts.map(decodeURIComponent);
  } catch {
    return null;
  }
}

const withQuery = (path: string, query?: URLSearchParams) => (query && String(query) ? `${path}?${query}` : path);

export const to = {
  home: () => "#/",
  pictures: (query?: URLSearchParams) => withQuery("#/pictures", query),
  picture: (layer: string, image: number) => to.pictures(new URLSearchParams({ layer, picture: String(image) })),
  explain: (id: string, query?: URLSearchParams) => withQuery(`#/explain/${encodeURIComponent(id)}`, query),
  layer: (id: string, query?: URLSearchParams) => withQuery(`#/layer/${encodeURIComponent(id)}`, query),
  unit: (id: string, channel: number) => `#/layer/${encodeURIComponent(id)}/unit/${channel}`,
  position: (id: string, position: number) => `#/layer/${encodeURIComponent(id)}/position/${position}`,
  atlas: (id: string, query?: URLSearchParams) => withQuery(`#/layer/${encodeURIComponent(id)}/atlas`, query),
};
