// The agent as the tests play it: answers from the Go examples, remembers what it was asked.

import deltaCard from "../../bridge/wire/testdata/delta-card.json";
import outboxJSON from "../../bridge/wire/testdata/outbox.json";
import {
  type Card,
  type Customer,
  type Delta,
  type Option,
  type OutboxItem,
  type Result,
  readDelta,
  readListed,
  readSnapshot,
  type Snapshot,
} from "../shared/wire";
import type { Api } from "./api";

export const ok: Result = { ok: true, kind: "", message: "" };

/** The found card of the examples, ringing, with changes. */
export function aCard(change: Partial<Card> = {}): Card {
  const card = readDelta(structuredClone(deltaCard)).card as Card;
  const alone = { muted: false, again: false, consult: undefined, data: [], recording: "" };
  return { ...card, ...alone, state: "alerting", established_at: "", commands: ["answer", "reject"], ...change };
}

export function aSnapshot(change: Partial<Snapshot> = {}): Snapshot {
  const link = { name: "sim", state: "up" };
  const empty = { v: 1, seq: 10, language: "en", agent: {}, extension: "1001", phone: link, crm: link };
  const lists = {
    outcomes: ["Order placed", "Complaint"],
    abilities: ["dial"],
    crm_can: ["search", "create", "add_number", "tags", "status", "ticket_status"],
    customer_types: [],
    cards: [],
  };
  const well = {
    outbox: { waiting: 0, review: 0 },
    storage: { state: "ok" },
    presence: { state: "", can: false, reasons: [] },
  };
  return { ...readSnapshot({ ...empty, ...lists, ...well }), ...change };
}

/** The retrying item of the examples, with changes. */
export function anItem(seq: number, change: Partial<OutboxItem> = {}): OutboxItem {
  const [item] = readListed({ ok: true, items: structuredClone(outboxJSON) }).items;
  if (!item) throw new Error("there is no example");
  return { ...item, seq, ...change };
}

export function aDelta(seq: number, change: Partial<Delta> = {}): Delta {
  const nothing = {
    card: undefined,
    phone: undefined,
    crm: undefined,
    outbox: undefined,
    storage: undefined,
    presence: undefined,
  };
  return { v: 1, seq, drop: "", ...nothing, ...change };
}

export function fakeApi(first: Snapshot) {
  const asked: unknown[][] = [];
  const state: {
    snapshot: Snapshot;
    answer: Result;
    items: OutboxItem[];
    customers: Customer[];
    options: Option[];
    send: (delta: Delta) => void;
  } = {
    snapshot: first,
    answer: ok,
    items: [],
    customers: [],
    options: [],
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
    callBack: ask("callBack"),
    pick: ask("pick"),
    wrong: ask("wrong"),
    search: async (text) => {
      asked.push(["search", text]);
      return { ...state.answer, customers: structuredClone(state.customers) };
    },
    create: ask("create"),
    attachCall: ask("attachCall"),
    options: async (kind) => {
      asked.push(["options", kind]);
      return { ...state.answer, options: structuredClone(state.options) };
    },
    changeTags: ask("changeTags"),
    setStatus: ask("setStatus"),
    setTicketStatus: ask("setTicketStatus"),
    setPresence: ask("setPresence"),
    saveWrapUp: ask("save"),
    draftWrapUp: ask("draft"),
    open: ask("open"),
    dismiss: ask("dismiss"),
    hide: tell("hide"),
    painted: tell("painted"),
    outbox: async (which, limit, after) => {
      asked.push(["outbox", which, limit, after]);
      const mine = state.items.filter((it) => (it.state === "review") === (which === "review") && it.seq > after);
      return { ...ok, items: structuredClone(mine.slice(0, limit)) };
    },
    retry: ask("retry"),
    retryAll: ask("retryAll"),
    edit: ask("edit"),
    attach: ask("attach"),
    discard: ask("discard"),
    copyOutbox: ask("copyOutbox"),
    saveOutbox: ask("saveOutbox"),
    copy: ask("copy"),
  };
  return { api, asked, state, calls: (name: string) => asked.filter((a) => a[0] === name).map((a) => a.slice(1)) };
}
