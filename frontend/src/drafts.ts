// Wrap-ups as they are being typed. Nothing typed is lost: a draft goes to the agent 2 s after the last key and when the
// field is left, and stays here until the agent has saved it.
import { createStore } from "solid-js/store";
import type { Card, Result, WrapUp } from "../shared/wire";
import type { Api } from "./api";

export interface Draft {
  outcome: string;
  note: string;
  /** typed: only here. kept: safe with the agent, not saved yet. saving, saved: as it says. */
  phase: "typed" | "kept" | "saving" | "saved";
  before: string; // the card's saved_at when this draft began
}

/** How long after the last key a draft is handed over. */
export const PAUSE = 2000;

type Answered = (leg: string, result: Result) => void;

export function createDrafts(api: Pick<Api, "draftWrapUp" | "saveWrapUp">, answered: Answered) {
  const [drafts, set] = createStore<Record<string, Draft | undefined>>({});
  const timers = new Map<string, ReturnType<typeof setTimeout>>();

  function edit(leg: string, saved: WrapUp, change: Partial<Pick<Draft, "outcome" | "note">>): void {
    const { outcome, note } = drafts[leg] ?? saved;
    set(leg, { outcome, note, before: saved.saved_at, ...change, phase: "typed" });
    clearTimeout(timers.get(leg));
    timers.set(
      leg,
      setTimeout(() => void flush(leg), PAUSE),
    );
  }

  async function flush(leg: string): Promise<void> {
    const draft = drafts[leg];
    if (!timers.has(leg) || !draft) return;
    forget(leg);
    const { outcome, note } = draft;
    const result = await api.draftWrapUp(leg, outcome, note);
    if (result.ok) advance(leg, "typed", "kept", { outcome, note });
    else answered(leg, result);
  }

  async function save(leg: string, saved: WrapUp): Promise<void> {
    const { outcome, note } = drafts[leg] ?? saved;
    forget(leg);
    set(leg, { outcome, note, before: saved.saved_at, phase: "saving" });
    const result = await api.saveWrapUp(leg, outcome, note);
    advance(leg, "saving", result.ok ? "saved" : "typed", { outcome, note });
    answered(leg, result);
  }

  // What was typed while the answer was on its way is a newer draft and keeps its own phase.
  function advance(leg: string, from: Draft["phase"], to: Draft["phase"], sent: { outcome: string; note: string }) {
    const now = drafts[leg];
    if (now?.phase === from && now.outcome === sent.outcome && now.note === sent.note) set(leg, "phase", to);
  }

  function forget(leg: string): void {
    clearTimeout(timers.get(leg));
    timers.delete(leg);
  }

  /** The agent's card carries what was saved: it takes over from the draft. */
  function settle(cards: readonly Card[]): void {
    for (const card of cards) {
      const draft = drafts[card.leg];
      if (draft?.phase === "saved" && card.wrapup.saved_at !== draft.before) set(card.leg, undefined);
    }
  }

  const dirty = (leg: string) => ["typed", "kept"].includes(drafts[leg]?.phase ?? "");
  const flushAll = () => void Promise.all([...timers.keys()].map(flush));

  return { of: (leg: string) => drafts[leg], dirty, edit, flush, flushAll, save, settle };
}
