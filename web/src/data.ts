// The site's data: classic scripts that call `pellucid.put(KEY, VALUE)`, loaded when they are needed and kept.

import type { HandIn } from "./live/desk";
import type { Page } from "./parts";
import {
  type AtlasLevel,
  type ExplainPage,
  type LayerPage,
  type Live,
  type Neighbours,
  type PicturesPage,
  type Site,
  VERSION,
  type Wall,
} from "./schema";

/** Something to tell the reader, not a fault of the viewer. */
export class Trouble extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

const arrived = new Map<string, unknown>();
const pending = new Map<string, Promise<unknown>>();

declare global {
  interface Window {
    pellucid: { put(key: string, value: unknown): void };
  }
}

export function install(): void {
  window.pellucid = { put: (key, value) => void arrived.set(key, value) };
}

function load<T>(key: string, file = `data/${encodeURIComponent(key)}.js`): Promise<T> {
  let promise = pending.get(key);
  if (!promise) {
    promise = script(key, file);
    promise.catch(() => pending.delete(key)); // the next visit tries again
    pending.set(key, promise);
  }
  return promise as Promise<T>;
}

function script(key: string, file: string): Promise<unknown> {
  const hint = "The site may be incomplete: copy its whole folder again, or run the build once more.";
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = file;
    element.onload = () =>
      arrived.has(key)
        ? resolve(arrived.get(key))
        : reject(new Trouble(`${file} is there, but it does not hold the data it should.`, hint));
    element.onerror = () => reject(new Trouble(`${file} could not be loaded.`, hint));
    document.head.append(element);
  });
}

export async function site(): Promise<Site> {
  const value = await load<Site>("site");
  if (value.schema !== VERSION) {
    throw new Trouble(
      `This site's data have format ${String(value.schema)}; this viewer reads format ${VERSION}.`,
      `The data were written by ${String(value.made_by)}. Export the site again so that data and viewer are of one version.`,
    );
  }
  return value;
}

export const layerPage = (id: string) => load<LayerPage>(`layer-${id}`);

export const picturesPage = () => load<PicturesPage>("pictures");

export const wall = (id: string) => load<Wall>(`wall-${id}`);

export const nearByPixels = () => load<Neighbours>("near-pixels");

export const explainPage = (id: string) => load<ExplainPage>(`explain-${id}`);

export type ExplainView = (site: Site, page: ExplainPage, query: URLSearchParams) => Page;

/** What a server that explains pictures adds to the site's data, once those are there; null where none does. */
export const live = () => (arrived.get("live") as Live | undefined) ?? null;

export interface LiveView {
  /** Where pictures are handed in. */
  handIn(live: Live): HandIn;
  /** Why there is no page of a picture that was handed in, and what to do; null where there is one. */
  missing(live: Live, id: string): Promise<[message: string, hint: string] | null>;
}

/** Where pictures are handed in, whose code only such a server has. */
export const liveView = () => load<LiveView>("live-view", "live.js");

/** The page of explained pictures, whose code few sites need. */
export const explainView = () => load<ExplainView>("explain", "explain.js");

export const atlasLevel = (id: string, grid: number) => load<AtlasLevel>(`atlas-${id}-${grid}`);
