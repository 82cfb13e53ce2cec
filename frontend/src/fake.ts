// The agent as the tests play it: answers from the Go examples, remembers what it was asked.

import deltaCard from "../../bridge/wire/testdata/delta-card.json";
import { type Card, type Delta, type Result, readDelta, readSnapshot, type Snapshot } from "../shared/wire";
import type { Api } from "./api";

export const ok: Result = { ok: true, kind: "", message: "" };

/** The found card of the examples, ringing, with changes. */
export function aCard(change: Partial<Card> = {}): Card {
  const card = readDelta(structuredClone(deltaCard)).card as Card;
  return { ...card, state: "alerting", established_at: "", commands: ["answer", "reject"], ...change };
}

export function aSnapshot(change: Partial<Snapshot> = {}): Snapshot {
  const link = { name: "sim", state: "up" };
  const empty = { v: 1, seq: 10, language: "en", agent: {}, extension: "1001", phone: link, crm: link };
  const lists = { outcomes: ["Order placed", "Complaint"], abilities: ["dial"], cards: [] };
  return { ...readSnapshot({ ...empty, ...lists, outbox: { waiting: 0, review: 0 } }), ...change };
}

export function aDelta(seq: number, change: Partial<Delta> = {}): Delta {
  return { v: 1, seq, card: undefined, drop: "", phone: undefined, crm: undefined, outbox: undefined, ...change };
}

export function fakeApi(first: Snapshot) {
  const asked: unknown[][] = [];
  const state: { snapshot: Snapshot; answer: Result; send: (delta: Delta) => void } = {
    snapshot: first,
    answer: ok,
    send: () => undefined,
  };
  const ask =
    (name: string) =>
    async (...args: unknown[]) => {
      asked.push([name, ...args]);
      return state.answer;
    };
  const tell =
    (name: string) =>
    (...args: unknown[]) => {
      asked.push([name, ...args]);
    };
  const api: Api = {
    snapshot: async () => {
      asked.push(["snapshot"]);
      return structuredClone(state.snapshot);
    },
    onDelta: (take) => {
      state.send = take;
      return () => undefined;
    },
    command: ask("command"),
    dial: ask("dial"),
    pick: ask("pick"),
    saveWrapUp: ask("save"),
    draftWrapUp: ask("draft"),
    open: ask("open"),
    dismiss: ask("dismiss"),
    hide: tell("hide"),
    painted: tell("painted"),
  };
  return { api, asked, state, calls: (name: string) => asked.filter((a) => a[0] === name).map((a) => a.slice(1)) };
}
