// The page of explained pictures: a script of its own, loaded when the first one is opened.

import { explainView } from "./page";

window.pellucid.put("explain", explainView);
