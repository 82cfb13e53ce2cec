// Examples for judging the design in a browser: ?state=found&lang=zh-CN. Loaded while developing, never in a build.
import { type Card, type Customer, type Result, readSnapshot, type Snapshot } from "../shared/wire";
import type { Api } from "./api";
import { exampleItems } from "./devoutbox";

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const ok: Result = { ok: true, kind: "", message: "" };

const chen = {
  customer: {
    id: "c_1",
    type: "contact",
    name: "陈丽华",
    company: "上海远景物流有限公司",
    tags: ["VIP", "物流"],
    status: "active",
    data: { 合同: "金牌", 客户经理: "吴俊" },
    last_activity_at: ago(2 * 86400),
  },
  grade: "sure",
  rule: "e164",
  digits: 13,
  from: "cache",
  at: ago(3700),
};

const hart = (id: string, name: string, grade: string, company: string) => ({
  customer: { id, type: "contact", name, company, tags: ["Retail"], last_activity_at: ago(86400 * 9) },
  grade,
  rule: grade === "likely" ? "national" : "tail",
  digits: grade === "likely" ? 10 : 8,
  from: "crm",
  at: ago(1),
});

const history = [
  {
    at: ago(2 * 86400),
    direction: "in",
    ending: "answered",
    outcome: "Order placed",
    note: "下周二送货，送到 3 号门，提前电话",
    agent: "Wang",
    talk_ms: 184000,
  },
  { at: ago(5 * 86400), direction: "in", ending: "missed", agent: "Li Na" },
  {
    at: ago(9 * 86400),
    direction: "out",
    ending: "answered",
    outcome: "Complaint",
    note: "Pallet damaged on arrival, photos sent, wants a refund",
    agent: "Wang",
    talk_ms: 642000,
  },
  { at: ago(40 * 86400), direction: "out", ending: "no_answer", agent: "Zhang Wei" },
];
const tickets = [
  { id: "t_7", subject: "Pallet damaged on arrival at warehouse 3", status: "open", priority: "high" },
  { id: "t_9", subject: "Invoice 20931 has the wrong VAT number", status: "pending" },
];

const base = {
  case: "case",
  direction: "in",
  state: "alerting",
  number: { number: "013800138000", e164: "+8613800138000", key: "13800138000" },
  phone_name: "Chen",
  extension: "1001",
  queue: { name: "support", wait_ms: 14000 },
  started_at: ago(7),
  ring_ms: 7000,
  talk_ms: 0,
  hold_ms: 0,
  search: "found",
  matches: [chen],
  picked: "c_1",
  history,
  tickets,
  changes: null,
  wrapup: {},
  write: { state: "" },
  commands: ["answer", "reject"],
  pop: true,
};
const uk = { number: "02079460999", e164: "+442079460999", key: "2079460999" };
const nobody = { number: uk, matches: null, picked: "", history: null, tickets: null, phone_name: "" };
const talking = { state: "connected", established_at: ago(95), started_at: ago(102), commands: ["hangup"] };
const over = { ...talking, state: "cleared", ending: "answered", cleared_at: ago(5), talk_ms: 184000, commands: null };
const all = ["hangup", "hold", "mute", "dtmf", "transfer", "consult"];
const held = { ...talking, state: "hold", held_since: ago(21), commands: ["hangup", "resume", "transfer", "consult"] };
const asked = (state: string) => ({
  leg: "aside",
  number: { number: "1003", key: "1003", class: "internal" },
  name: "仓库 Depot",
  state,
  since: ago(12),
});
const data = {
  order_id: "A-1007",
  menu_choice: "2 > 1 售后",
  language: "zh",
  session: "9f2c41aa-03bd-4f10-9b1e-0c55d0a7e6b4-9f2c41aa-03bd",
  account: "8837-2210",
  verified: "yes",
  campaign: "autumn",
};
const several = {
  ...nobody,
  search: "several",
  matches: [
    hart("c_3", "A. Hart", "likely", "Hart & Sons Ltd"),
    hart("c_4", "Beatrice Hart-Featherstonehaugh", "perhaps", "Northern Cold Chain Distribution"),
    hart("c_5", "Reception", "perhaps", ""),
  ],
};
const wrapup = { outcome: "Complaint", note: "Pallet damaged again. Photos by e-mail, refund promised by Friday." };

const changed = [
  { item: 7, op: "update_contact", value: "follow_up", theirs: "inactive", state: "review", kind: "conflict" },
  {
    item: 8,
    op: "set_status",
    ticket: "t_7",
    value: "solved",
    state: "review",
    kind: "denied",
    message: "only team leads may solve tickets",
  },
];

const cards: Record<string, object[]> = {
  changed: [{ ...base, ...talking, changes: changed }],
  idle: [],
  found: [base],
  several: [{ ...base, ...several }],
  picked: [{ ...base, ...several, ...talking, picked: "c_4" }],
  withheld: [{ ...base, ...nobody, search: "withheld", number: { number: "anonymous", withheld: true } }],
  looking: [{ ...base, ...nobody, search: "looking", phone_name: "Hart" }],
  none: [{ ...base, ...nobody, search: "none" }],
  failed: [{ ...base, ...nobody, search: "failed", search_error: "offline" }],
  own: [{ ...base, ...nobody, search: "own" }],
  talking: [{ ...base, ...talking, wrapup: { ...wrapup, saved_at: "" } }],
  hold: [{ ...base, ...held }],
  control: [{ ...base, ...talking, commands: all, data: { order_id: "A-1007", menu_choice: "2 > 1 售后" } }],
  muted: [{ ...base, ...talking, commands: [...all, "unmute"], muted: true, recording: "known" }],
  untold: [{ ...base, ...talking, commands: [...all, "resume"] }],
  calling: [{ ...base, ...held, commands: ["hangup", "resume", "transfer"], consult: asked("initiated") }],
  consult: [{ ...base, ...held, commands: ["hangup", "resume", "transfer", "complete"], consult: asked("connected") }],
  data: [{ ...base, data }],
  dialling: [
    {
      ...base,
      direction: "out",
      state: "initiated",
      queue: undefined,
      phone_name: "",
      number: { number: "13800138000", e164: "+8613800138000", key: "13800138000" },
      started_at: ago(2),
      commands: ["hangup"],
      pop: false,
    },
  ],
  after: [{ ...base, ...over, write: { state: "queued" }, recording: "known" }],
  delivered: [
    { ...base, ...over, wrapup: { ...wrapup, saved_at: ago(3) }, write: { state: "delivered", record_id: "r1" } },
  ],
  retrying: [
    {
      ...base,
      ...over,
      wrapup: { ...wrapup, saved_at: ago(3) },
      write: { state: "retrying", kind: "offline", message: "dial tcp: connection refused", next_at: ago(-300) },
      notice: "phone_did_not_answer",
    },
  ],
  review: [
    {
      ...base,
      ...over,
      ...several,
      write: { state: "review", kind: "invalid", message: "Field “Subject” is required by your CRM" },
    },
  ],
  unsaved: [
    { ...base, ...over, wrapup: { ...wrapup, saved_at: ago(3) }, write: { state: "unsaved" }, notice: "not_saved" },
  ],
  missed: [
    { ...base, ...over, ...nobody, search: "none", ending: "missed", established_at: "", write: { state: "queued" } },
  ],
  stack: [
    { ...base, ...talking },
    { ...base, ...nobody, leg: "b", search: "none", started_at: ago(4) },
    { ...base, ...over, ...several, leg: "c" },
  ],
  late: [
    { ...base, ...over },
    { ...base, ...over, ...nobody, search: "none", leg: "c", ending: "missed" },
  ],
};

const reasons = ["Lunch", "Training", "Talk with the team lead 组长面谈"];
const presences: Record<string, object> = {
  ready: { state: "ready", since: ago(754), can: true, reasons },
  bare: { state: "ready", since: ago(754), can: true, reasons: [] },
  lunch: { state: "not_ready", reason: "Lunch", since: ago(4210), can: true, reasons },
  long: { state: "not_ready", reason: reasons[2], since: ago(4210), can: true, reasons },
  work: { state: "working_after_call", since: ago(5), until: ago(-42), can: true, reasons },
  owed: { state: "working_after_call", since: ago(5), until: ago(-42), owed: "leg0", can: true, reasons },
  told: { state: "not_ready", reason: "Lunch", since: ago(754), can: false, reasons: [] },
  off: { state: "logged_off", since: ago(754), can: true, reasons },
};

function snapshotOf(query: URLSearchParams): Snapshot {
  const list = cards[query.get("state") ?? "found"] ?? [];
  const sick = query.has("sick");
  return readSnapshot({
    v: 1,
    seq: 1,
    language: query.get("lang") ?? "",
    agent: { name: "Wang Lei" },
    extension: "1001",
    outcomes: query.has("many")
      ? [..."ABCDEFGH"].map((c) => `Outcome ${c}`)
      : ["Order placed", "Complaint", "Call back", "Wrong number"],
    abilities: ["answer", "reject", "hangup", "dial"],
    crm_can: ["search", "create", "add_number", "tags", "status", "ticket_status"],
    customer_types: ["contact", "lead"],
    phone: { name: "baresip", state: sick ? "down" : "up", since: ago(600) },
    crm: { name: "sandbox", state: sick ? "auth" : "up", since: ago(600) },
    outbox: {
      waiting: exampleItems(query.get("outbox"), "waiting").length || (sick ? 3 : 0),
      review: exampleItems(query.get("outbox"), "review").length || (sick ? 1 : 0),
      oldest_at: query.has("outbox") ? ago(3 * 3600) : undefined,
    },
    storage: {
      state: query.get("storage") ?? "ok",
      detail: query.has("storage") ? "/home/wang/.local/state/ringside" : "",
    },
    presence: presences[query.get("presence") ?? ""] ?? { state: "", can: false, reasons: [] },
    cards: list.map((card, i) => ({ leg: `leg${i}`, ...card })),
  });
}

const choices = {
  tag: ["VIP", "物流", "Call back"],
  customer_status: ["active", "follow_up", "inactive"],
  status: ["open", "pending", "solved"],
};
const words: Record<string, string> = {
  active: "Active",
  follow_up: "Follow up",
  inactive: "Inactive",
  open: "Open",
  pending: "Pending",
  solved: "Solved",
};

export function examples(search: string): Api {
  const query = new URLSearchParams(search);
  const refused: Result = { ok: false, kind: "offline", message: "the phone is not connected" };
  const answer = async () => (query.has("refuse") ? refused : ok);
  let snapshot: Snapshot | undefined;
  click((query.get("click") ?? "").split("|").filter(Boolean));
  return {
    snapshot: async () => {
      snapshot ??= snapshotOf(query);
      return snapshot;
    },
    onDelta: (take) => {
      const second = snapshotOf(new URLSearchParams("state=none")).cards[0] as Card;
      const timer = query.has("second")
        ? setTimeout(
            () =>
              take({
                v: 1,
                seq: 2,
                card: { ...second, leg: "z" },
                drop: "",
                phone: undefined,
                crm: undefined,
                outbox: undefined,
                storage: undefined,
                presence: undefined,
              }),
            3000,
          )
        : 0;
      return () => clearTimeout(timer);
    },
    command: answer,
    callBack: answer,
    pick: answer,
    wrong: answer,
    search: async () => ({
      ...ok,
      customers: [hart("c_3", "A. Hart", "sure", "Hart & Sons Ltd").customer as Customer],
    }),
    options: async (kind) => ({ ...ok, options: choices[kind].map((id) => ({ id, name: words[id] ?? id })) }),
    changeTags: answer,
    setStatus: answer,
    setTicketStatus: answer,
    create: answer,
    attachCall: answer,
    setPresence: async (state) =>
      state === "ready" && query.get("presence") === "owed"
        ? { ok: false, kind: "conflict", message: "choose the outcome of the last call first" }
        : answer(),
    saveWrapUp: answer,
    draftWrapUp: answer,
    open: answer,
    dismiss: answer,
    hide: () => undefined,
    painted: () => undefined,
    outbox: async (state, limit, after) => {
      const items = exampleItems(query.get("outbox"), state).filter((it) => it.seq > after);
      return query.has("broken")
        ? { ok: false, kind: "offline", message: "the store is being rebuilt: try again in a moment", items: [] }
        : { ...ok, items: items.slice(0, limit) };
    },
    retry: answer,
    retryAll: answer,
    edit: answer,
    attach: answer,
    discard: answer,
    copyOutbox: answer,
    saveOutbox: async () => ({ ...ok, message: "/home/wang/ringside-2026-11-23.csv" }),
    copy: answer,
  };
}

/** ?click=.outbox|.item-head presses one after the other, for pictures of what opens; SELECTOR=TEXT fills in. */
function click(selectors: string[]): void {
  const [first, ...rest] = selectors;
  if (!first) return;
  setTimeout(() => {
    const [selector = "", words] = first.split("=");
    const found = document.querySelector<HTMLInputElement>(selector);
    if (words === undefined) found?.click();
    else if (found) {
      found.value = words;
      found.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }
    click(rest);
  }, 150);
}
