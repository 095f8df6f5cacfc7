// The viewer: one script, one page, addresses behind the #.

import * as data from "./data";
import { h, replace } from "./dom";
import { count } from "./format";
import { atlasView } from "./pages/atlas";
import { home } from "./pages/home";
import { layerView } from "./pages/layer";
import { picturesView } from "./pages/pictures";
import { unitView } from "./pages/unit";
import { layerOf, type Page } from "./parts";
import { parse, type Route, to } from "./route";
import type { LayerCard, LayerPage, Site } from "./schema";

data.install();

const app = document.getElementById("app") as HTMLElement;
let current: Page | null = null;
let turn = 0; // a page that arrives after the reader has gone on is dropped

/** What the page looked like when the reader left it, to find it again on the way back. */
const left = new Map<string, { scroll: number; focus: string | null }>();
let shown = location.hash;
let stepping = false; // the reader followed a link (not back or forward)

async function show(first = false): Promise<void> {
  const mine = ++turn;
  const hash = location.hash;
  const back = !stepping && !first;
  stepping = false;
  if (shown !== hash && current?.follow?.(parse(hash))) {
    shown = hash;
    return;
  }
  let site: Site | null = null;
  let page: Page | null;
  try {
    site = await data.site();
    page = await pageFor(site, parse(hash));
  } catch (error) {
    page = troublePage(error);
  }
  if (mine !== turn || page === null) return;
  current?.stop?.();
  current = page;
  shown = location.hash;
  document.title = [page.title, site?.title ?? "pellucid"].filter(Boolean).join(" · ");
  document.documentElement.classList.toggle("full", page.full === true);
  replace(app, skipLink(), masthead(site, page), page.main, page.full ? null : footer(site));
  page.start?.();
  arrive(back ? left.get(hash) : undefined, first);
}

async function pageFor(site: Site, route: Route): Promise<Page | null> {
  if (route.page === "home") return frontPage(site);
  if (route.page === "unknown")
    throw new data.Trouble("There is no such page in this site.", `The address ends with “${route.hash}”.`);
  if (route.page === "pictures") return picturesView(site, await data.picturesPage(), route.query);
  if (route.page === "explain") return explained(site, route.id, route.query);
  const layer = layerOf(site, route.layer);
  const page = await data.layerPage(layer.id);
  if (route.page === "layer") return layerView(site, layer, page, route.query);
  if (route.page === "unit") return unitFor(site, layer, page, route.channel);
  if (route.page === "position") return onward(layer, page, route.position);
  if (page.atlas === null || page.atlas.levels.length === 0)
    throw new data.Trouble(`${layer.name} has no atlas in this site.`, "Its units are there.");
  return atlasView(site, layer, page.atlas, route.query);
}

async function frontPage(site: Site): Promise<Page | null> {
  const live = data.live();
  if (live) return home(site, live.explained, (await data.liveView()).handIn(live));
  return site.layers.length === 0 && site.explained.length === 1 ? toExplained(site) : home(site);
}

async function explained(site: Site, id: string, query: URLSearchParams): Promise<Page> {
  if (!site.explained.some((each) => each.id === id)) await handedIn(site, id);
  const [view, page] = await Promise.all([data.explainView(), data.explainPage(id)]);
  return view(site, page, query);
}

/** Only a server that explains pictures has some that the site does not list. */
async function handedIn(site: Site, id: string): Promise<void> {
  const live = data.live();
  if (!live)
    throw new data.Trouble(`This site explains no picture “${id}”.`, `It explains ${count(site.explained.length, "picture")}.`);
  const why = await (await data.liveView()).missing(live, id);
  if (why) throw new data.Trouble(...why);
}

/** From the front page of a site that is nothing else to its only explained picture. */
function toExplained(site: Site): null {
  location.replace(to.explain(site.explained[0]?.id ?? ""));
  return null;
}

function unitFor(site: Site, layer: LayerCard, page: LayerPage, channel: number): Page {
  const unit = page.units.find((each) => each.channel === channel);
  if (unit) return unitView(site, layer, page, unit);
  throw new data.Trouble(
    `Unit ${channel} of ${layer.name} is not in this site.`,
    `It shows ${page.units.length} of ${layer.channels} channels.`,
  );
}

/** From a place in the layer's list to the unit's own address. */
function onward(layer: LayerCard, page: LayerPage, position: number): null {
  const unit = page.units[position];
  if (!unit) throw new data.Trouble(`${layer.name} has no unit at place ${position}.`, `It shows ${page.units.length} units.`);
  stepping = true;
  location.replace(to.unit(layer.id, unit.channel));
  return null;
}

function troublePage(error: unknown): Page {
  const trouble = error instanceof data.Trouble ? error : new data.Trouble("This page could not be drawn.", String(error));
  if (!(error instanceof data.Trouble)) console.error(error);
  const main = h(
    "main",
    { class: "trouble" },
    h("div", { role: "alert" }, h("h1", { tabindex: -1 }, trouble.message), h("p", {}, trouble.hint)),
    h("p", { class: "pills" }, h("a", { class: "pill", href: to.home() }, "To the front page")),
  );
  return { title: "Not found", crumbs: [], main };
}

const START = "main canvas[tabindex], main h1[tabindex]"; // where reading a page starts

function skipLink(): HTMLElement {
  const skip = (event: Event) => {
    event.preventDefault();
    const target = document.querySelector<HTMLElement>(START);
    target?.focus();
    target?.scrollIntoView();
  };
  return h("a", { class: "skip", href: "#", on: { click: skip } }, "Skip to the content");
}

function masthead(site: Site | null, page: Page): HTMLElement {
  const crumbs = page.crumbs.map(({ text, href }) =>
    h("li", {}, href ? h("a", { href }, text) : h("span", { "aria-current": "page" }, text)),
  );
  return h(
    "header",
    { class: "masthead" },
    h("a", { class: "wordmark", href: to.home(), "aria-label": "pellucid, front page" }, "pellucid"),
    crumbs.length > 0 &&
      h(
        "nav",
        { "aria-label": "Where you are" },
        h("ol", {}, h("li", {}, h("a", { href: to.home() }, site?.title ?? "Home")), ...crumbs),
      ),
  );
}

function footer(site: Site | null): HTMLElement {
  return h(
    "footer",
    {},
    h(
      "p",
      {},
      site ? `Made by ${site.made_by}. ` : "",
      data.live()
        ? "Pictures that you hand in stay in the memory of the server that shows this page, until it ends."
        : "Everything shown here lies in this site’s own folder; nothing is sent anywhere.",
    ),
    h("p", {}, h("a", { href: "licenses.txt" }, "Licences of the viewer’s parts")),
  );
}

/** The reader has arrived: at the top with the heading in focus, or, on the way back, where they were. */
function arrive(before: { scroll: number; focus: string | null } | undefined, first: boolean): void {
  scrollTo(0, before?.scroll ?? 0);
  if (first) return;
  const link = before?.focus
    ? [...document.querySelectorAll<HTMLElement>("main a[href]")].find((each) => each.getAttribute("href") === before.focus)
    : undefined;
  (link ?? document.querySelector<HTMLElement>(START))?.focus({ preventScroll: true });
}

function leave(): void {
  left.set(shown, { scroll: scrollY, focus: document.activeElement?.getAttribute("href") ?? null });
}

addEventListener("hashchange", () => void show());
document.addEventListener("click", (event) => {
  const link = (event.target as Element).closest?.("a[href^='#']");
  if (!link || link.classList.contains("skip")) return;
  shown = location.hash;
  leave();
  stepping = link.getAttribute("href") !== location.hash;
});
history.scrollRestoration = "manual";
void show(true);
