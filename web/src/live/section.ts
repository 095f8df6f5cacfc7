// The part of the front page where a picture is handed in: chosen, taken, dropped or pasted.

import { h } from "../dom";
import { to } from "../route";
import type { LiveState } from "../schema";
import type { Desk, HandIn } from "./desk";

const KINDS = ["jpeg", "png", "webp", "gif", "bmp", "tiff"].map((each) => `image/${each}`).join();

export function handIn(desk: Desk): HandIn {
  const section = new Section(desk);
  return { element: section.element, start: () => section.start(), stop: () => section.stop() };
}

class Section {
  readonly element: HTMLElement;
  private readonly input = h("input", { type: "file", accept: KINDS, class: "unseen", on: { change: () => this.chosen() } });
  private readonly zone = h(
    "label",
    { class: "drop-zone" },
    this.input,
    h("b", { class: "only-mouse" }, "Choose a picture"),
    h("span", { class: "facts only-mouse" }, "or drop it here, or paste it"),
    h("b", { class: "only-touch" }, "Take or choose a picture"),
  );
  private readonly preview = h("img", { alt: "", on: { error: () => this.preview.removeAttribute("src") } });
  private readonly name = h("b");
  private readonly bar = h("progress", { max: 1, "aria-label": "How far it is" });
  private readonly stage = h("p", { class: "facts" });
  private readonly left = h("p", { class: "facts" });
  private readonly free = h("button", { type: "button", class: "text", on: { click: () => this.desk.stop() } }, "Stop");
  private readonly working = h(
    "div",
    { class: "hand-in-work" },
    this.preview,
    h("div", {}, this.name, this.bar, this.stage, this.left, this.free),
  );
  private readonly error = h("p", { class: "warning", role: "alert" });
  private readonly said = h("p", { class: "unseen", "aria-live": "polite" });

  constructor(private readonly desk: Desk) {
    this.element = h(
      "section",
      { class: "hand-in", "aria-labelledby": "hand-in" },
      h(
        "div",
        { class: "layer-text" },
        h("h2", { id: "hand-in" }, "Explain a picture of yours"),
        h(
          "p",
          { class: "note" },
          `Hand in a picture of up to ${desk.live.limit / 1e6} MB, and see why the network says what it says of it. The server keeps the last ${desk.live.kept} in its memory, for all who can open this page, and forgets them when it ends.`,
        ),
      ),
      h("div", { class: "hand-in-box" }, this.zone, this.working, this.error, this.said),
    );
  }

  start(): void {
    this.desk.onChange = (done) => this.draw(done);
    for (const [name, listener] of this.listeners) document.addEventListener(name, listener);
    this.draw();
  }

  stop(): void {
    this.desk.onChange = () => {};
    for (const [name, listener] of this.listeners) document.removeEventListener(name, listener);
  }

  private chosen(): void {
    const file = this.input.files?.[0];
    this.input.value = ""; // the same one can be chosen again
    if (file) this.desk.handIn(file);
  }

  private draw(done?: string): void {
    if (done !== undefined) {
      location.hash = to.explain(done);
      return;
    }
    const { work, error } = this.desk;
    const begins = work !== null && this.working.hidden;
    const focused = this.element.contains(document.activeElement);
    this.zone.hidden = work !== null;
    this.working.hidden = work === null;
    this.error.hidden = error === null;
    this.error.textContent = error;
    if (error !== null) this.error.scrollIntoView({ block: "nearest" });
    if (work === null) {
      if (focused && document.activeElement !== this.input) this.input.focus();
      return;
    }
    this.name.textContent = work.state?.name ?? work.name;
    this.bar.value = work.state?.share ?? 0;
    this.stage.textContent = stageText(work.id === null, work.state);
    this.left.textContent = leftText(work.state?.left ?? null);
    if (!begins) return;
    if (work.preview) this.preview.src = work.preview;
    else this.preview.removeAttribute("src");
    this.said.textContent = "Asking the network. Its page opens when it is done.";
    if (focused) this.free.focus();
  }

  private readonly listeners: [string, (event: Event) => void][] = [
    ["dragover", (event) => this.over(event as DragEvent)],
    ["dragleave", () => this.zone.classList.remove("over")],
    ["drop", (event) => this.dropped(event as DragEvent)],
    ["paste", (event) => this.pasted(event as ClipboardEvent)],
  ];

  private over(event: DragEvent): void {
    event.preventDefault(); // otherwise the browser opens what is dropped, in place of this page
    this.zone.classList.add("over");
  }

  private dropped(event: DragEvent): void {
    event.preventDefault();
    this.zone.classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file) this.desk.handIn(file);
    else this.desk.fail("That was no file. Save the picture first, and then choose its file.");
  }

  private pasted(event: ClipboardEvent): void {
    const file = event.clipboardData?.files[0];
    if (file) this.desk.handIn(file);
  }
}

function stageText(arriving: boolean, state: LiveState | null): string {
  if (arriving) return "Handing it in …";
  if (!state?.stage) return "Asking the network …";
  return `Asking the network: ${state.stage}, ${state.done.toLocaleString("en")} of ${state.total.toLocaleString("en")}`;
}

/** A time as one would say it. */
function leftText(seconds: number | null): string {
  if (seconds === null) return "";
  if (seconds < 10) return "a few seconds left";
  if (seconds < 90) return `about ${5 * Math.round(seconds / 5)} seconds left`;
  return `about ${Math.round(seconds / 60)} minutes left`;
}
