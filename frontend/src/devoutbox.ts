// Examples of records that have not reached the CRM, for judging the design: ?outbox=few|long&click=.outbox
import { type OutboxItem, readListed } from "../shared/wire";

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();

const refused = "lookup in Sandbox: the CRM cannot be reached: check the network and the server's address";
const plain = {
  op: "log_call",
  key: "k",
  leg: "none",
  direction: "in",
  number: { number: "013800138000", e164: "+8613800138000", key: "13800138000" },
  name: "陈丽华",
  customer_id: "c_000001",
  started_at: ago(2900),
  ending: "answered",
  talk_ms: 184000,
  outcome: "Order placed",
  note: "下周二送货，送到 3 号门，提前电话",
  created_at: ago(2700),
  due: ago(-290),
  attempts: 3,
  state: "retrying",
  kind: "offline",
  message: refused,
  tries: [
    { at: ago(2700), took_ms: 5000, kind: "offline", message: refused },
    { at: ago(2000), took_ms: 12, kind: "internal" },
    { at: ago(900), took_ms: 5000, kind: "offline", message: refused },
  ],
};
const uk = { number: "02079460999", e164: "+442079460999", key: "2079460999" };
const fresh = { state: "queued", kind: "", message: "", tries: null, attempts: 0, due: undefined };

const few = [
  {
    ...plain,
    state: "review",
    kind: "invalid",
    message: "Field “Subject” is required by your CRM; fill it in or ask your administrator to map it",
    tries: [{ at: ago(1200), took_ms: 340, kind: "invalid", message: "Field “Subject” is required by your CRM" }],
    due: undefined,
  },
  {
    ...plain,
    ...fresh,
    state: "review",
    number: uk,
    name: "",
    customer_id: "",
    unclear: true,
    kind: "conflict",
    leg: "leg0",
    note: "",
    outcome: "",
  },
  {
    ...plain,
    state: "review",
    started_at: ago(90000),
    name: "Beatrice Hart-Featherstonehaugh",
    number: uk,
    kind: "denied",
    message: "403 Forbidden: role “agent” may not write activities of team Nord",
    begun: ago(80000),
    outcome: "Complaint",
    note: "Pallet damaged again. Photos by e-mail, refund promised by Friday.",
  },
  plain,
  { ...plain, state: "reconciling", name: "A. Hart", number: uk, kind: "uncertain", begun: ago(60), outcome: "" },
  {
    ...plain,
    ...fresh,
    name: "",
    number: { number: "anonymous", withheld: true },
    ending: "missed",
    outcome: "",
    note: "",
  },
  { ...plain, ...fresh, state: "sending", name: "Reception", number: { number: "1001" }, outcome: "" },
];

const long = Array.from({ length: 950 }, (_, i) => ({
  ...plain,
  name: `Customer ${i + 1} Northern Cold Chain Distribution Ltd`,
  started_at: ago(90000 - i * 60),
  due: ago(-600 + i),
  note: i % 3 ? plain.note : "",
}));

export function exampleItems(which: string | null, state: "review" | "waiting"): OutboxItem[] {
  const examples: Record<string, object[]> = { few, long: [...few.slice(0, 3), ...long] };
  const items = (examples[which ?? ""] ?? []).map((item, i) => ({ ...item, seq: i + 1 }));
  return readListed({ ok: true, items }).items.filter((it) => (it.state === "review") === (state === "review"));
}
