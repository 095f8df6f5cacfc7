// Buttons that stand for a choice: pointed at or focused they show it, pressed they keep it.

import { type Child, h } from "../dom";
import type { Numbers } from "./numbers";
import { largest } from "./packed";
import type { Choice, Picker, Shown } from "./picker";

export const keyOf = ({ kind, place, index }: Choice) => `${kind}-${place}-${index}`;

export function chooser(picker: Picker, choice: Choice, label: string, className: string, ...children: Child[]): HTMLButtonElement {
  return h(
    "button",
    {
      type: "button",
      class: `chooser ${className}`,
      "data-choice": keyOf(choice),
      "aria-label": label,
      "aria-pressed": "false",
      on: {
        pointerenter: (event) => event.pointerType === "mouse" && picker.look(choice),
        pointerleave: (event) => event.pointerType === "mouse" && picker.look(null),
        focus: () => picker.look(choice),
        blur: () => picker.look(null),
        click: () => picker.hold(choice),
      },
    },
    ...children,
  );
}

/** Of all the buttons in a figure one is reached by Tab, the others from it by the arrow keys. */
export function rove<E extends HTMLElement>(figure: E, selector = "button"): E {
  const all = () => [...figure.querySelectorAll<HTMLElement>(selector)];
  const tab = (chosen: HTMLElement | undefined) => {
    for (const each of all()) each.tabIndex = each === chosen ? 0 : -1;
  };
  figure.addEventListener("focusin", (event) => {
    const button = (event.target as Element).closest<HTMLElement>(selector);
    if (button) tab(button);
  });
  figure.addEventListener("keydown", (event) => {
    const buttons = all();
    const at = buttons.indexOf(document.activeElement as HTMLElement);
    const steps: Record<string, number> = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0 };
    const to = event.key === "End" ? buttons.length - 1 : steps[event.key];
    if (at < 0 || to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    buttons[Math.max(0, Math.min(buttons.length - 1, to))]?.focus();
    event.preventDefault();
  });
  tab(all()[0]);
  return figure;
}

/** Marks the buttons of what is shown, and of what belongs to it. */
export function mark(root: Element, numbers: Numbers, shown: Shown, pin: Choice | null): void {
  const { choice } = shown;
  const kin = choice ? kinOf(numbers, choice) : new Set<string>();
  for (const each of root.querySelectorAll<HTMLElement>("[data-choice]")) {
    const key = each.dataset.choice ?? "";
    each.classList.toggle("lit", choice !== null && key === keyOf(choice));
    each.classList.toggle("kin", kin.has(key));
    each.setAttribute("aria-pressed", String(pin !== null && key === keyOf(pin)));
  }
}

/** The channels that answer in a cell and its strongest group, the groups of a channel, the channels of a group. */
function kinOf(numbers: Numbers, choice: Choice): Set<string> {
  const { kind, place, index } = choice;
  const layer = numbers.layer(place);
  const keys = (of: "channel" | "group", indices: number[]) =>
    indices.filter((each) => each >= 0).map((each) => keyOf({ kind: of, place, index: each }));
  if (!layer) return new Set();
  if (kind === "cell") {
    const strengths = numbers.of(layer.group_maps).map((map) => map[index] ?? 0);
    const group = largest(strengths) > 0 ? strengths.indexOf(Math.max(...strengths)) : -1;
    const words = (layer.words[index] ?? []).map((channel) => layer.channels.indexOf(channel));
    return new Set([...keys("channel", words), ...keys("group", [group])]);
  }
  if (kind === "channel") {
    const shares = layer.groups.map((group) => (group.shares[index] ?? 0) / (largest(group.shares) || 1));
    return new Set(keys("group", indicesAbove(shares)));
  }
  const shares = layer.groups[index]?.shares ?? [];
  return new Set(keys("channel", indicesAbove(shares.map((share) => share / (largest(shares) || 1)))));
}

const PART = 0.3; // of the largest share, from which something belongs to a group

const indicesAbove = (shares: number[]) => shares.flatMap((share, i) => (share >= PART ? [i] : []));
