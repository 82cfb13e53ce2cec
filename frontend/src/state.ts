// What the agent told us: one snapshot, then deltas by rising seq. A gap means something was missed: ask for all again.
import { batch } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import { type Delta, type Snapshot, VersionError } from "../shared/wire";
import type { Api } from "./api";

export interface Board {
  /** loading: nothing known yet. unreachable: the agent does not answer, we keep asking. outdated: it is newer than we are. */
  phase: "loading" | "ready" | "unreachable" | "outdated";
  data: Snapshot;
}

/** How long to wait before asking an agent again that did not answer. */
const ASK_AGAIN = 1000;

/** applied is called after each change is in the store, with the leg it was about ("" for all or none). */
export function createBoard(api: Pick<Api, "snapshot" | "onDelta">, applied: (seq: number, leg: string) => void) {
  const [board, set] = createStore<Board>({ phase: "loading", data: nothing() });
  let early: Delta[] = []; // came while a snapshot was on its way
  let asking = false;
  let again: ReturnType<typeof setTimeout> | undefined;

  async function load(): Promise<void> {
    if (asking) return;
    asking = true;
    clearTimeout(again);
    try {
      const snapshot = await api.snapshot();
      asking = false;
      begin(snapshot);
    } catch (error) {
      asking = false;
      fail(error);
    }
  }

  function begin(snapshot: Snapshot): void {
    batch(() => {
      set("data", reconcile(snapshot, { key: "leg" }));
      set("phase", "ready");
    });
    applied(snapshot.seq, "");
    const waiting = early.sort((a, b) => a.seq - b.seq);
    early = [];
    waiting.forEach(receive);
  }

  function fail(error: unknown): void {
    if (error instanceof VersionError) {
      set("phase", "outdated");
      return;
    }
    set("phase", "unreachable");
    again = setTimeout(load, ASK_AGAIN);
  }

  function receive(delta: Delta): void {
    if (asking || board.phase !== "ready") {
      early.push(delta);
      return;
    }
    if (delta.seq <= board.data.seq) return;
    if (delta.seq > board.data.seq + 1) {
      early.push(delta);
      void load();
      return;
    }
    batch(() => apply(delta));
    applied(delta.seq, delta.card?.leg ?? delta.drop);
  }

  function apply(delta: Delta): void {
    const { card, drop, phone, crm, outbox, storage, presence } = delta;
    if (card) {
      const at = board.data.cards.findIndex((c) => c.leg === card.leg);
      if (at < 0) set("data", "cards", (cards) => [card, ...cards]);
      else set("data", "cards", at, reconcile(card, { key: "leg" }));
    }
    if (drop) set("data", "cards", (cards) => cards.filter((c) => c.leg !== drop));
    if (phone) set("data", "phone", phone);
    if (crm) set("data", "crm", crm);
    if (outbox) set("data", "outbox", outbox);
    if (storage) set("data", "storage", storage);
    if (presence) set("data", "presence", reconcile(presence));
    set("data", "seq", delta.seq);
  }

  function unreadable(error: unknown): void {
    if (error instanceof VersionError) fail(error);
    else void load();
  }

  /** Listens first and asks then, so that nothing falls between the two. Returns how to stop. */
  function start(): () => void {
    const stop = api.onDelta(receive, unreadable);
    void load();
    return () => {
      clearTimeout(again);
      stop();
    };
  }

  return { board, start };
}

function nothing(): Snapshot {
  const link = () => ({ name: "", state: "unknown" as const, since: "" });
  return {
    v: 1,
    seq: 0,
    language: "",
    agent: { id: "", name: "", email: "" },
    extension: "",
    outcomes: [],
    abilities: [],
    crm_can: [],
    customer_types: [],
    phone: link(),
    crm: link(),
    outbox: { waiting: 0, review: 0, oldest_at: "" },
    storage: { state: "ok", detail: "" },
    presence: { state: "", reason: "", since: "", until: "", owed: "", can: false, reasons: [] },
    cards: [],
  };
}
