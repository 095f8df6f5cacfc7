// One picture of the wall, and the others nearest to it: in each layer, and by pixels.

import * as data from "../data";
import { h } from "../dom";
import { count, number, shortName } from "../format";
import type { Neighbours, Picture, Site, Sprites } from "../schema";
import { sprite } from "../sprites";

/** What a picture is called: by its label, or by what the network takes it for where it has none. */
export function pictureName(site: Site, picture: Picture): string {
  return picture.label ?? (picture.said === null ? undefined : site.classes[picture.said]) ?? picture.name;
}

export function pictureHead(site: Site, thumbs: Sprites, picture: Picture, place: number): HTMLElement {
  const said = picture.said === null ? undefined : site.classes[picture.said];
  return h(
    "div",
    { class: "cell-head" },
    sprite(thumbs, place, `The picture ${picture.name}`, "icon"),
    h(
      "div",
      {},
      h("h2", { tabindex: -1 }, shortName(pictureName(site, picture))),
      h("p", { class: "facts file" }, picture.name),
      said !== undefined && h("p", { class: "facts" }, `the network takes it for ${shortName(said)}`),
    ),
  );
}

export async function nearest(
  site: Site,
  thumbs: Sprites,
  pictures: Picture[],
  place: number,
  address: (place: number) => string,
): Promise<HTMLElement> {
  const [pixels, ...walls] = await Promise.all([data.nearByPixels(), ...site.layers.map((each) => data.wall(each.id))]);
  const list = (title: string, near: Neighbours) =>
    h(
      "section",
      {},
      h("h3", {}, title),
      h(
        "ol",
        { class: "nearest", "aria-label": `Nearest: ${title}` },
        ...(near.near[place] ?? []).map((other, i) => {
          const picture = pictures[other] as Picture;
          const apart = number(near.apart[place]?.[i] ?? Number.NaN);
          const name = shortName(pictureName(site, picture));
          return h(
            "li",
            {},
            h(
              "a",
              { href: address(other), title: picture.name, "aria-label": `${name}, ${picture.name}, ${apart} away` },
              sprite(thumbs, other, ""),
              h("span", { class: "label" }, name),
              h("span", {}, apart),
            ),
          );
        }),
      ),
    );
  return h(
    "div",
    { class: "nearest-lists" },
    ...walls.map((wall, i) => list(site.layers[i]?.name ?? "", wall.neighbours)),
    list("By pixels alone", pixels),
    h(
      "p",
      { class: "hint" },
      `Exactly the nearest of the ${count(pictures.length, "picture")} on the wall. In a layer: 1 less the cosine between what it answers to both in the mean. By pixels: the root of the mean squared difference at 32 × 32.`,
    ),
  );
}
