// Puts the whole window on a test's page, with fake time and an agent played by fake.ts.
import { render } from "solid-js/web";
import { vi } from "vitest";
import type { Card, Delta, Option, Snapshot } from "../../shared/wire";
import { createDesk } from "../desk";
import { aDelta, aSnapshot, fakeApi } from "../fake";
import { Pop } from "./Pop";

export async function mount(cards: Card[], change: Partial<Snapshot> = {}, options: Option[] = []) {
  vi.useFakeTimers({ now: new Date("2026-11-23T05:32:30Z") });
  const fake = fakeApi(aSnapshot({ cards, ...change }));
  fake.state.options = options;
  document.body.innerHTML = '<div id="app"></div>';
  const root = document.getElementById("app") as HTMLElement;
  const dispose = render(() => <Pop desk={createDesk(fake.api)} />, root);
  await vi.advanceTimersByTimeAsync(0);
  let seq = 10;
  const all = <T extends Element>(selector: string) => [...root.querySelectorAll<T>(selector)];
  const button = (words: string) =>
    all<HTMLButtonElement>("button").find(
      (b) => b.textContent?.includes(words) || b.getAttribute("aria-label") === words,
    );
  return {
    ...fake,
    root,
    dispose,
    all,
    button,
    text: () => root.textContent ?? "",
    name: () => root.querySelector("h1")?.textContent,
    note: () => root.querySelector("textarea") as HTMLTextAreaElement,
    send: (delta: Partial<Delta>) => {
      seq += 1;
      fake.state.send(aDelta(seq, delta));
      return vi.advanceTimersByTimeAsync(0);
    },
    type: (words: string) => {
      const note = root.querySelector("textarea") as HTMLTextAreaElement;
      note.focus();
      note.value = words;
      note.dispatchEvent(new InputEvent("input", { bubbles: true }));
    },
    press: (key: string, more: KeyboardEventInit = {}, on: EventTarget = document.body) => {
      const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
      on.dispatchEvent(event);
      return event;
    },
    wait: (ms: number) => vi.advanceTimersByTimeAsync(ms),
  };
}
