// What a server that explains pictures adds to the viewer: a script of its own, which no site on disk has.

import type { LiveView } from "../data";
import { Desk, missing } from "./desk";
import { handIn } from "./section";

let desk: Desk | null = null; // goes on while the reader looks at other pages

const view: LiveView = {
  handIn: (live) => {
    desk ??= new Desk(live);
    return handIn(desk);
  },
  missing,
};
window.pellucid.put("live-view", view);
