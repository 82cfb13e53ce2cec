// The messages of bridge/wire (Go) as the window reads them. wire.test.ts holds this against the Go examples and structs.
// Words are never in here: codes are put into the reader's language by src/i18n.
import { code, flag, list, maybe, maybeList, maybeTexts, object, type Read, text, WireError, whole } from "./schema";

/** The newest version of the messages this window understands. */
export const VERSION = 1;

const direction = code("", "in", "out");

const callState = code("", "initiated", "alerting", "connected", "hold", "cleared");

export const number = object({
  number: text, // as received
  e164: maybe(text, ""),
  key: maybe(text, ""),
  ext: maybe(text, ""),
  class: maybe(text, ""),
  withheld: maybe(flag, false),
});

export const queue = object({ name: text, wait_ms: maybe(whole, 0) });

export const customer = object({
  id: text,
  type: text,
  name: text,
  company: maybe(text, ""),
  email: maybe(text, ""),
  numbers: maybeList(text),
  tags: maybeList(text),
  status: maybe(text, ""),
  owner: maybe(text, ""),
  open_tickets: maybe(whole, 0),
  last_activity_at: maybe(text, ""),
  version: maybe(text, ""),
  data: maybeTexts,
});

export const match = object({
  customer,
  grade: code("sure", "likely", "perhaps"),
  rule: text,
  digits: whole,
  from: text,
  at: text,
  why: maybeList(text),
});

export const contact = object({
  at: text,
  direction: maybe(direction, ""),
  ending: maybe(text, ""),
  outcome: maybe(text, ""),
  note: maybe(text, ""),
  agent: maybe(text, ""),
  talk_ms: maybe(whole, 0),
});

export const ticket = object({
  id: text,
  subject: text,
  status: text,
  priority: maybe(text, ""),
  updated_at: maybe(text, ""),
  version: maybe(text, ""),
});

export const wrapUp = object({ outcome: maybe(text, ""), note: maybe(text, ""), saved_at: maybe(text, "") });

const writeState = code(
  "",
  "queued",
  "sending",
  "retrying",
  "delivered",
  "review",
  "unsaved",
  "reconciling",
  "discarded",
);

export const write = object({
  state: writeState,
  kind: maybe(text, ""),
  message: maybe(text, ""),
  attempts: maybe(whole, 0),
  next_at: maybe(text, ""),
  record_id: maybe(text, ""),
});

/** What the reader changed of a customer, on its way or refused; theirs is what the CRM has where both changed it. */
export const change = object({
  item: whole,
  op: text,
  ticket: maybe(text, ""),
  value: text,
  theirs: maybe(text, ""),
  state: writeState,
  kind: maybe(text, ""),
  message: maybe(text, ""),
});

/** The colleague who is asked while the customer waits. */
export const consult = object({
  leg: text,
  number,
  name: maybe(text, ""),
  state: callState,
  since: text,
});

export const card = object({
  leg: text,
  case: text,
  direction,
  state: callState,
  number,
  phone_name: maybe(text, ""),
  extension: maybe(text, ""),
  dialled: maybe(text, ""),
  queue: maybe(queue),
  started_at: text,
  established_at: maybe(text, ""),
  cleared_at: maybe(text, ""),
  held_since: maybe(text, ""),
  ring_ms: whole,
  talk_ms: whole,
  hold_ms: whole,
  ending: maybe(text, ""),
  search: code("looking", "found", "several", "none", "failed", "withheld", "own", "internal", "privacy", "unreadable"),
  search_error: maybe(text, ""),
  matches: list(match),
  picked: maybe(text, ""),
  history: list(contact),
  tickets: list(ticket),
  changes: list(change),
  wrapup: wrapUp,
  write,
  commands: list(text),
  notice: maybe(text, ""),
  pop: flag,
  again: maybe(flag, false),
  muted: maybe(flag, false),
  consult: maybe(consult),
  data: maybeTexts,
  recording: maybe(text, ""),
});

/** The agent's state; until is when after-call work ends by itself, owed the call whose outcome must be chosen first. */
export const presence = object({
  state: code("", "logged_on", "ready", "not_ready", "working_after_call", "logged_off"),
  reason: maybe(text, ""),
  since: maybe(text, ""),
  until: maybe(text, ""),
  owed: maybe(text, ""),
  can: flag,
  reasons: list(text),
});

export const link = object({
  name: text,
  state: code("unknown", "up", "down", "auth"),
  since: maybe(text, ""),
});

export const outbox = object({ waiting: whole, review: whole, oldest_at: maybe(text, "") });

/** state is an open list: "ok", or what is wrong with the disk. */
export const storage = object({ state: text, detail: maybe(text, "") });

export const outboxTry = object({ at: text, took_ms: whole, kind: text, message: maybe(text, "") });

export const outboxItem = object({
  seq: whole,
  state: writeState,
  op: text,
  key: text,
  leg: text,
  direction,
  number,
  name: maybe(text, ""),
  customer_id: maybe(text, ""),
  unclear: maybe(flag, false),
  started_at: text,
  ending: maybe(text, ""),
  talk_ms: whole,
  outcome: maybe(text, ""),
  note: maybe(text, ""),
  created_at: text,
  due: maybe(text, ""),
  attempts: whole,
  kind: maybe(text, ""),
  message: maybe(text, ""),
  begun: maybe(text, ""),
  reason: maybe(text, ""),
  value: maybe(text, ""),
  theirs: maybe(text, ""),
  tries: list(outboxTry),
});

export const agent = object({ id: maybe(text, ""), name: maybe(text, ""), email: maybe(text, "") });

export const snapshot = object({
  v: whole,
  seq: whole,
  language: text,
  agent,
  extension: text,
  outcomes: list(text),
  abilities: list(text),
  crm_can: list(text),
  customer_types: list(text),
  phone: link,
  crm: link,
  outbox,
  storage,
  presence,
  cards: list(card),
});

export const delta = object({
  v: whole,
  seq: whole,
  card: maybe(card),
  drop: maybe(text, ""),
  phone: maybe(link),
  crm: maybe(link),
  outbox: maybe(outbox),
  storage: maybe(storage),
  presence: maybe(presence),
});

/** The answer to a command; kind is one of the kinds of error, message the server's own words. */
export const result = object({ ok: flag, kind: maybe(text, ""), message: maybe(text, "") });

/** What a search gives. */
export const found = object({
  ok: flag,
  kind: maybe(text, ""),
  message: maybe(text, ""),
  customers: maybeList(customer),
});

export const option = object({ id: text, name: text });

/** The choices of a kind, as the CRM has them. */
export const options = object({
  ok: flag,
  kind: maybe(text, ""),
  message: maybe(text, ""),
  options: maybeList(option),
});

/** A part of the outbox, or why there is none. */
export const listed = object({
  ok: flag,
  kind: maybe(text, ""),
  message: maybe(text, ""),
  items: maybeList(outboxItem),
});

export type Change = Read<typeof change>;
export type Option = Read<typeof option>;
export type Options = Read<typeof options>;
export type Customer = Read<typeof customer>;
export type Match = Read<typeof match>;
export type Contact = Read<typeof contact>;
export type Ticket = Read<typeof ticket>;
export type WrapUp = Read<typeof wrapUp>;
export type Write = Read<typeof write>;
export type Card = Read<typeof card>;
export type Consult = Read<typeof consult>;
export type Presence = Read<typeof presence>;
export type Link = Read<typeof link>;
export type Outbox = Read<typeof outbox>;
export type Storage = Read<typeof storage>;
export type OutboxItem = Read<typeof outboxItem>;
export type Listed = Read<typeof listed>;
export type Found = Read<typeof found>;
export type Snapshot = Read<typeof snapshot>;
export type Delta = Read<typeof delta>;
export type Result = Read<typeof result>;

/** The agent is newer than this window. */
export class VersionError extends WireError {}

export function readSnapshot(value: unknown, unknown: string[] = []): Snapshot {
  refuseNewer(value);
  return snapshot(value, { path: "", unknown });
}

export function readDelta(value: unknown, unknown: string[] = []): Delta {
  refuseNewer(value);
  return delta(value, { path: "", unknown });
}

export function readListed(value: unknown, unknown: string[] = []): Listed {
  return listed(value, { path: "", unknown });
}

export function readFound(value: unknown): Found {
  return found(value, { path: "", unknown: [] });
}

export function readOptions(value: unknown): Options {
  return options(value, { path: "", unknown: [] });
}

export function readResult(value: unknown): Result {
  return result(value, { path: "", unknown: [] });
}

// Asked before anything else: a newer message may differ in every other field.
function refuseNewer(value: unknown): void {
  const v = typeof value === "object" && value !== null && "v" in value ? value.v : undefined;
  if (typeof v === "number" && v > VERSION) {
    throw new VersionError(`message version ${v} is newer than ${VERSION}: update this window`);
  }
}
