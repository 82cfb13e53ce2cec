// The window's one model: what the agent told us, what this reader does with it, and the words for it.
// Components read from here and ask here; they decide nothing themselves.
import { createContext, createEffect, createMemo, createSignal, on, onCleanup, onMount, useContext } from "solid-js";
import type { Card } from "../shared/wire";
import type { Api } from "./api";
import { createClock } from "./clock";
import { createDrafts } from "./drafts";
import { speech } from "./i18n";
import { createKeys, type HotKey } from "./keys";
import { afterPaint } from "./painted";
import { createRequests } from "./requests";
import { chooseShown, live, liveSign } from "./shown";
import { createBoard } from "./state";

export type Desk = ReturnType<typeof createDesk>;

/** How long after the last key or after leaving the note the agent still counts as typing. */
export const THINKING = 8000;

export function createDesk(api: Api) {
  const { board, start } = createBoard(api, applied);
  const requests = createRequests();
  const drafts = createDrafts(api, requests.answered);
  const keys = createKeys(pressed);
  const typing = createTyping();
  const [pinned, pin] = createSignal("");
  const [hidden, setHidden] = createSignal(false);
  const cards = () => board.data.cards;
  const say = createMemo(() => speech(board.data.language, navigator.language));
  const shown = createMemo<string>(
    (current) => chooseShown(cards(), { current, typing: typing.leg(), pinned: pinned(), hidden: hidden() }),
    "",
  );
  const card = () => cards().find((c) => c.leg === shown());
  const now = createClock(() => cards().some(live));

  function applied(seq: number, leg: string): void {
    requests.release(leg);
    drafts.settle(cards());
    afterPaint(() => api.painted(seq, leg || shown()));
  }

  function left(away: boolean): void {
    if (away) void drafts.flushAll();
    setHidden(away);
    if (away) pin("");
  }

  function pressed(key: HotKey): void {
    const current = card();
    if (key === "hide") api.hide();
    else if (key === "open") current && openCustomer(current);
    else if (current?.commands.includes(key)) command(current.leg, key);
  }

  const command = (leg: string, name: string) => requests.run(leg, name, () => api.command(leg, name));
  const openThing = (leg: string, kind: "customer" | "ticket" | "call", id: string) =>
    requests.run(leg, `open ${id}`, async () => {
      const result = await api.open(leg, kind, id);
      if (result.ok) requests.release(leg); // no change of the card follows an opened page
      return result;
    });
  const openCustomer = (c: Card) => c.picked && openThing(c.leg, "customer", c.picked);

  createEffect(
    on(
      () => liveSign(cards()),
      () => pin(""),
      { defer: true },
    ),
  );
  createEffect(
    on(shown, (leg, before) => {
      if (before) void drafts.flush(before);
      if (!leg) return;
      keys.hush();
      afterPaint(keys.painted);
    }),
  );
  onMount(() => {
    const stops = [start(), keys.start(), whenHidden(left)];
    onCleanup(() => {
      for (const stop of stops) stop();
    });
  });

  return {
    board,
    say,
    card,
    now,
    drafts,
    typing,
    requests,
    others: createMemo(() => cards().filter((c) => c.leg !== shown())),
    show: (leg: string) => {
      typing.stop();
      pin(leg);
    },
    command,
    openThing,
    openCustomer,
    pick: (leg: string, id: string) => requests.run(leg, `pick ${id}`, () => api.pick(leg, id)),
    callBack: (c: Card) => requests.run(c.leg, "dial", () => api.dial(c.number.e164 || c.number.number)),
    dismiss: (leg: string) => requests.run(leg, "dismiss", () => api.dismiss(leg)),
  };
}

/** Whose note is being typed: while the cursor is in it, and a little longer, for people stop to think. */
function createTyping() {
  const [leg, set] = createSignal("");
  let timer: ReturnType<typeof setTimeout> | undefined;
  const begin = (which: string) => {
    clearTimeout(timer);
    set(which);
  };
  const stop = () => begin("");
  const pause = () => {
    clearTimeout(timer);
    timer = setTimeout(stop, THINKING);
  };
  onCleanup(() => clearTimeout(timer));
  return { leg, begin, pause, stop };
}

function whenHidden(tell: (away: boolean) => void): () => void {
  const changed = () => tell(document.visibilityState === "hidden");
  const gone = () => tell(true);
  document.addEventListener("visibilitychange", changed);
  window.addEventListener("pagehide", gone);
  return () => {
    document.removeEventListener("visibilitychange", changed);
    window.removeEventListener("pagehide", gone);
  };
}

export const DeskContext = createContext<Desk>();

export function useDesk(): Desk {
  const desk = useContext(DeskContext);
  if (!desk) throw new Error("no desk around this component");
  return desk;
}
