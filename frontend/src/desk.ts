// The window's one model: what the agent told us, what this reader does with it, and the words for it.
// Components read from here and ask here; they decide nothing themselves.
import { createContext, createEffect, createMemo, createSignal, on, onCleanup, onMount, useContext } from "solid-js";
import type { Card, Option, Result } from "../shared/wire";
import type { Api } from "./api";
import { createClock } from "./clock";
import { createControl } from "./control";
import { createDrafts } from "./drafts";
import { speech } from "./i18n";
import { createKeys, type HotKey } from "./keys";
import { holdOf, muteOf, panelsOf } from "./offered";
import { createOutbox } from "./outbox/model";
import { afterPaint } from "./painted";
import { createPresence } from "./presence";
import { createRequests } from "./requests";
import { chooseShown, live, liveSign } from "./shown";
import { createBoard } from "./state";

export type Desk = ReturnType<typeof createDesk>;

/** Who types, when it is in the list of the outbox and not on a card. */
export const IN_OUTBOX = "outbox";

/** How long after the last key or after leaving the note the agent still counts as typing. */
export const THINKING = 8000;

/** How long choices of the CRM are taken for right. */
const CHOICES_FOR = 10 * 60_000;

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
  const outbox = createOutbox(api, requests, () => board.data.outbox);
  const control = createControl(api, requests, cards, card);
  const presence = createPresence(api, requests, () => board.data.presence, show);
  const now = createClock(() => cards().some(live) || outbox.open() || (presence.shown() && !hidden()));
  const calling = createMemo(() =>
    cards()
      .filter(rings)
      .map((c) => c.leg),
  );
  const seen = new Set<string>(); // calls that rang when the reader opened the outbox: those do not close it

  function show(leg: string): void {
    typing.stop();
    outbox.hide();
    pin(leg);
  }

  function applied(seq: number, leg: string): void {
    requests.release(leg);
    control.applied();
    drafts.settle(cards());
    outbox.touch();
    afterPaint(() => api.painted(seq, leg || shown()));
  }

  function left(away: boolean): void {
    if (away) void drafts.flushAll();
    setHidden(away);
    if (!away) return;
    pin("");
    presence.close();
    outbox.hide(); // the next thing seen is the next call
  }

  function pressed(key: HotKey): void {
    const current = card();
    if (key === "hide") {
      if (!presence.close() && !control.close() && !outbox.back()) api.hide();
    } else if (outbox.open()) {
      return; // the card that the other keys are for is not in view
    } else if (key === "open") {
      if (current) openCustomer(current);
    } else if (current) operate(current, key);
  }

  function operate(current: Card, key: Exclude<HotKey, "hide" | "open">): void {
    if (key === "transfer" || key === "keypad") {
      if (panelsOf(current).includes(key)) control.open(control.panel() === key ? "" : key);
      return;
    }
    const name = key === "hold" ? holdOf(current)[0] : key === "mute" ? muteOf(current) : key;
    if (name && current.commands.includes(name)) void control.command(current.leg, name);
  }

  const openThing = (leg: string, kind: "customer" | "ticket" | "call", id: string) =>
    requests.run(leg, `open ${id}`, async () => {
      const result = await api.open(leg, kind, id);
      if (result.ok) requests.release(leg); // no change of the card follows an opened page
      return result;
    });
  const openCustomer = (c: Card) => c.picked && openThing(c.leg, "customer", c.picked);

  // What a status or a tag can be: asked for once a window, and again after a while, for sites change it seldom.
  const [choice, setChoice] = createSignal<Record<string, Option[]>>({});
  const askedAt: Record<string, number> = {};
  function choices(kind: "tag" | "customer_status" | "status"): Option[] {
    const known = choice()[kind] ?? [];
    if (Date.now() - (askedAt[kind] ?? 0) > CHOICES_FOR) {
      askedAt[kind] = Date.now();
      void api.options(kind).then((result) => result.ok && setChoice((old) => ({ ...old, [kind]: result.options })));
    }
    return known;
  }

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
      control.close();
      if (!leg) return;
      keys.hush();
      afterPaint(keys.painted);
    }),
  );
  // A call that begins to ring comes before the outbox, unless somebody types there: then it stands in the strip.
  createEffect(
    on([calling, typing.leg], ([legs, who]) => {
      if (!outbox.open() || who === IN_OUTBOX || legs.every((leg) => seen.has(leg))) return;
      outbox.hide();
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
    outbox,
    control,
    presence,
    others: createMemo(() => (outbox.open() ? cards().filter(live) : cards().filter((c) => c.leg !== shown()))),
    show,
    showOutbox: () => {
      seen.clear();
      for (const leg of calling()) seen.add(leg);
      outbox.show();
    },
    copy: (leg: string, text: string) => {
      // Nothing of the card changes, so its buttons are given back here; what came of it is the caller's to tell.
      let result: Result | undefined;
      return requests
        .run(leg, "copy", async () => {
          result = await api.copy(text);
          if (result.ok) requests.release(leg);
          return result;
        })
        .then(() => result?.ok ?? false);
    },
    openThing,
    openCustomer,
    search: async (leg: string, text: string) => {
      const found = await api.search(text);
      requests.answered(leg, found);
      return found;
    },
    create: (leg: string, kind: string, name: string, company: string, email: string) =>
      requests.run(leg, "create", () => api.create(leg, kind, name, company, email)),
    attachCall: (leg: string, id: string, addNumber: boolean) =>
      requests.run(leg, "attach", () => api.attachCall(leg, id, addNumber)),
    choices,
    changeTags: (leg: string, add: string, remove: string) =>
      requests.run(leg, "tags", () => api.changeTags(leg, add, remove)),
    setStatus: (leg: string, status: string) => requests.run(leg, "status", () => api.setStatus(leg, status)),
    setTicketStatus: (leg: string, ticket: string, status: string) =>
      requests.run(leg, `status ${ticket}`, () => api.setTicketStatus(leg, ticket, status)),
    decide: (leg: string, item: number, mine: boolean) =>
      requests.run(leg, `decide ${item}`, () =>
        mine ? api.retry(item) : api.discard(item, say().t("change.theirs.reason")),
      ),
    wrong: (leg: string) => requests.run(leg, "wrong", () => api.wrong(leg)),
    pick: (leg: string, id: string) => requests.run(leg, `pick ${id}`, () => api.pick(leg, id)),
    callBack: (c: Card) => requests.run(c.leg, "dial", () => api.callBack(c.leg)),
    dismiss: (leg: string) => requests.run(leg, "dismiss", () => api.dismiss(leg)),
  };
}

function rings(card: Card): boolean {
  return live(card) && card.pop && !card.established_at;
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
