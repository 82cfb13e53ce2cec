// What the agent asks of the phone about a live call. It holds what is open for it (one panel at a time) and what is on its
// way; whether something can be asked at all is the card's word.
import { createEffect, createSignal } from "solid-js";
import { createStore } from "solid-js/store";
import type { Card, Result } from "../shared/wire";
import type { Api } from "./api";
import { panelsOf } from "./offered";
import type { createRequests } from "./requests";

export type Panel = "" | "transfer" | "keypad";

type Requests = ReturnType<typeof createRequests>;

export function createControl(
  api: Pick<Api, "command">,
  requests: Requests,
  cards: () => readonly Card[],
  shown: () => Card | undefined,
) {
  const [panel, open] = createSignal<Panel>("");
  const tones = createTones(api, requests);
  const returning = new Set<string>(); // legs that are taken back once their colleague is gone
  // What is not offered any more goes for good: it must not come back by itself, with the focus, when it is offered again.
  createEffect(() => {
    const current = shown();
    const which = panel();
    if (which && !(current && panelsOf(current).includes(which))) open("");
  });
  const card = (leg: string) => cards().find((c) => c.leg === leg);

  const command = (leg: string, name: string, to = "") => requests.run(leg, name, () => api.command(leg, name, to));

  /** Tells whether there was something to close. */
  function close(): boolean {
    const was = panel();
    open("");
    return was !== "";
  }

  /** Gives the call to a number, or asks there first; the panel stays open while the phone refuses. */
  async function hand(leg: string, how: "transfer" | "consult", to: string): Promise<void> {
    if (await command(leg, how, to)) open("");
  }

  /** Lets the colleague go and takes the customer back. */
  function back(main: Card, colleague: string): Promise<boolean> {
    return requests.run(main.leg, "back", async () => {
      returning.add(main.leg);
      const result = await api.command(colleague, "hangup", "");
      if (!result.ok) returning.delete(main.leg);
      return result;
    });
  }

  /** After each change. Some phones resume by themselves when the colleague is gone; the others are asked to. */
  function applied(): void {
    for (const leg of returning) {
      const main = card(leg);
      if (main?.consult && main.state !== "cleared") continue;
      returning.delete(leg);
      if (main?.state === "hold" && main.commands.includes("resume")) void resume(leg);
    }
  }

  function resume(leg: string): Promise<boolean> {
    return requests.run(leg, "resume", async () => {
      const result = await api.command(leg, "resume", "");
      return result.ok || card(leg)?.state === "hold" ? result : { ok: true, kind: "", message: "" }; // it was quicker
    });
  }

  return { panel, open, close, command, hand, back, applied, tones };
}

/** Tones go out in the order they were pressed, one after the other: none is lost because the last one is still on its way. */
function createTones(api: Pick<Api, "command">, requests: Requests) {
  const [pressed, set] = createStore<Record<string, string | undefined>>({});
  const waiting = new Map<string, string>(); // of the legs with a tone on its way

  async function press(leg: string, digit: string): Promise<void> {
    set(leg, (before = "") => before + digit);
    const before = waiting.get(leg);
    if (before !== undefined) {
      waiting.set(leg, before + digit);
      return;
    }
    waiting.set(leg, digit);
    for (let next = digit; next; next = waiting.get(leg)?.charAt(0) ?? "") {
      const result = await api.command(leg, "dtmf", next);
      if (result.ok) waiting.set(leg, waiting.get(leg)?.slice(1) ?? "");
      else refused(leg, result);
    }
    waiting.delete(leg);
  }

  // What was pressed behind a refused one would reach the far end without it, and mean something else.
  function refused(leg: string, result: Result): void {
    const unsent = waiting.get(leg)?.length ?? 0;
    waiting.delete(leg);
    set(leg, (before = "") => before.slice(0, before.length - unsent));
    requests.answered(leg, result);
  }

  return { press, pressed: (leg: string) => pressed[leg] ?? "", forget: (leg: string) => set(leg, undefined) };
}
