// The reader's side of the server's desk: one picture at a time is handed in and waited for.

import type { Live, LiveState } from "../schema";

/** The place where pictures are handed in, as a part of a page. */
export interface HandIn {
  element: HTMLElement;
  start(): void;
  stop(): void;
}

/** The picture that is being explained. */
export interface Work {
  name: string;
  preview: string | null; // address of what the reader gave
  id: string | null; // null until it has arrived
  state: LiveState | null;
}

const PAUSE = 500; // ms between two questions
const PATIENCE = 3; // questions without an answer

export class Desk {
  work: Work | null = null;
  error: string | null = null;
  /** Called whenever something has changed; with the id of a page that is there now. */
  onChange: (done?: string) => void = () => {};

  constructor(readonly live: Live) {
    if (live.running === null) return;
    const work = { name: "", preview: null, id: live.running, state: null };
    void this.settle(work, () => this.follow(work));
  }

  handIn(file: File): void {
    if (this.work) return;
    const { limit } = this.live;
    if (file.size > limit) {
      const hint = "Make it smaller, or start the server with a larger --limit.";
      this.fail(`${file.name} has ${megabytes(file.size)}, and the server takes up to ${megabytes(limit)}. ${hint}`);
      return;
    }
    const work = { name: file.name, preview: URL.createObjectURL(file), id: null, state: null };
    void this.settle(work, () => this.upload(work, file));
  }

  /** Let go of what is being explained. */
  stop(): void {
    const id = this.work?.id ?? null;
    this.end();
    if (id !== null) void ask(`live/${id}`, { method: "DELETE" }).catch(() => {});
  }

  fail(error: string): void {
    this.error = error;
    this.onChange();
  }

  private async settle(work: Work, doing: () => Promise<void>): Promise<void> {
    this.work = work;
    this.error = null;
    this.onChange();
    try {
      await doing();
    } catch (error) {
      if (this.work !== work) return; // the reader has let go of it
      this.end();
      this.fail(sentence((error as Error).message));
    }
  }

  private async upload(work: Work, file: File): Promise<void> {
    const headers = { "Content-Type": "application/octet-stream" };
    const address = `live/explain?name=${encodeURIComponent(file.name)}`;
    const { id } = await ask<{ id: string }>(address, { method: "POST", body: file, headers });
    work.id = id;
    if (this.work === work) await this.follow(work);
    else await ask(`live/${id}`, { method: "DELETE" });
  }

  private async follow(work: Work): Promise<void> {
    for (let failed = 0; this.work === work; await pause()) {
      let state: LiveState;
      try {
        state = await ask<LiveState>(`live/${work.id}`);
        failed = 0;
      } catch (error) {
        if (error instanceof Refused || ++failed === PATIENCE) throw error;
        continue;
      }
      if (this.work !== work) return;
      if (state.error !== null) throw new Error(state.error);
      work.state = state;
      if (state.card === null) {
        this.onChange();
        continue;
      }
      this.live.explained.unshift(state.card);
      this.live.explained.splice(this.live.kept);
      this.end(state.card.id);
    }
  }

  private end(done?: string): void {
    if (this.work?.preview) URL.revokeObjectURL(this.work.preview);
    this.work = null;
    this.onChange(done);
  }
}

/** The server has answered, and said no. */
class Refused extends Error {}

async function ask<T>(address: string, options: RequestInit = {}): Promise<T> {
  const answer = await fetch(address, options).catch(() => {
    throw new Error("The server does not answer. Start it again, and then hand in the picture once more.");
  });
  const value = await answer.json();
  if (!answer.ok) throw new Refused(value.error);
  return value;
}

export async function missing(live: Live, id: string): Promise<[message: string, hint: string] | null> {
  try {
    const state = await ask<LiveState>(`live/${encodeURIComponent(id)}`);
    if (state.card) return null;
    if (state.error === null) return [`${state.name} is still being explained.`, "The front page shows how far that is."];
    return [`${state.name} could not be explained.`, sentence(state.error)];
  } catch (error) {
    if (!(error instanceof Refused)) return ["The server does not answer.", "Start it again, and then load this page once more."];
    const kept = `The server keeps the last ${live.kept} pictures that were handed in, and none when it ends.`;
    return ["This picture is no longer here.", `${kept} Hand it in again on the front page.`];
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE));

const megabytes = (bytes: number) => `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!]$/.test(text) ? "" : "."}`;
