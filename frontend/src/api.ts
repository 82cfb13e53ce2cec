// The only file that touches Wails: methods bound on window.go.window.Page, events on window.runtime.
import {
  type Delta,
  type Found,
  type Listed,
  type Options,
  type Result,
  readDelta,
  readFound,
  readListed,
  readOptions,
  readResult,
  readSnapshot,
  type Snapshot,
} from "../shared/wire";

/** What can be asked of the agent. A command never rejects: what goes wrong comes back as a Result. */
export interface Api {
  /** Rejects when the agent cannot be reached or speaks a newer version. */
  snapshot(): Promise<Snapshot>;
  /** Calls back with each change, or with the error of one that could not be read. Returns how to stop. */
  onDelta(take: (delta: Delta) => void, unreadable: (error: unknown) => void): () => void;
  /** To is the number of a transfer or consultation, or the digits of tones; "" for the others. */
  command(leg: string, command: string, to: string): Promise<Result>;
  callBack(leg: string): Promise<Result>;
  pick(leg: string, customer: string): Promise<Result>;
  wrong(leg: string): Promise<Result>;
  search(text: string): Promise<Found>;
  create(leg: string, kind: string, name: string, company: string, email: string): Promise<Result>;
  attachCall(leg: string, customer: string, addNumber: boolean): Promise<Result>;
  /** What a tag or a status can be; an empty list lets any word be written. Never rejects. */
  options(kind: "tag" | "customer_status" | "status"): Promise<Options>;
  changeTags(leg: string, add: string, remove: string): Promise<Result>;
  setStatus(leg: string, status: string): Promise<Result>;
  setTicketStatus(leg: string, ticket: string, status: string): Promise<Result>;
  /** The reader's own state: ready, or not_ready with a reason. */
  setPresence(state: "ready" | "not_ready", reason: string): Promise<Result>;
  saveWrapUp(leg: string, outcome: string, note: string): Promise<Result>;
  draftWrapUp(leg: string, outcome: string, note: string): Promise<Result>;
  open(leg: string, kind: "customer" | "ticket" | "call", id: string): Promise<Result>;
  dismiss(leg: string): Promise<Result>;
  hide(): void;
  painted(seq: number, leg: string): void;
  /** What has not reached the CRM, by seq, behind the item after (0: from the first). Never rejects either. */
  outbox(state: "review" | "waiting", limit: number, after: number): Promise<Listed>;
  retry(seq: number): Promise<Result>;
  retryAll(): Promise<Result>;
  edit(seq: number, outcome: string, note: string): Promise<Result>;
  attach(seq: number, customer: string): Promise<Result>;
  discard(seq: number, reason: string): Promise<Result>;
  /** The whole outbox as CSV on the clipboard. */
  copyOutbox(): Promise<Result>;
  /** The whole outbox as CSV in a file the reader chooses: message is the file, "" when none was chosen. */
  saveOutbox(title: string): Promise<Result>;
  /** Text on the clipboard. */
  copy(text: string): Promise<Result>;
}

type Method = (...args: (string | number | boolean)[]) => Promise<unknown>;

/** What Wails puts on window; checked call by call, because it is not typed. */
export interface Host {
  go?: { window?: { Page?: Record<string, Method | undefined> } };
  runtime?: { EventsOn?: (event: string, take: (payload: unknown) => void) => () => void };
}

declare global {
  interface Window extends Host {}
}

export function connect(host: Host = window): Api {
  const call = (name: string, ...args: (string | number | boolean)[]): Promise<unknown> => {
    const method = host.go?.window?.Page?.[name];
    return method ? method(...args) : Promise.reject(new Error(`Page.${name} is not bound`));
  };
  const failed = { ok: false, kind: "internal", message: "" };
  const ask = async (name: string, ...args: (string | number | boolean)[]): Promise<Result> => {
    try {
      return readResult(await call(name, ...args));
    } catch {
      return failed;
    }
  };
  const list = async (...args: (string | number | boolean)[]): Promise<Listed> => {
    try {
      return readListed(await call("Outbox", ...args));
    } catch {
      return { ...failed, items: [] };
    }
  };
  const tell = (name: string, ...args: (string | number | boolean)[]): void => {
    call(name, ...args).catch(() => undefined); // nothing on the screen depends on it
  };
  return {
    snapshot: async () => readSnapshot(await call("Snapshot")),
    onDelta: (take, unreadable) => listen(host, take, unreadable),
    command: (leg, command, to) => ask("Command", leg, command, to),
    callBack: (leg) => ask("CallBack", leg),
    pick: (leg, customer) => ask("Pick", leg, customer),
    wrong: (leg) => ask("Wrong", leg),
    search: async (text) => {
      try {
        return readFound(await call("Search", text));
      } catch {
        return { ...failed, customers: [] };
      }
    },
    create: (leg, kind, name, company, email) => ask("Create", leg, kind, name, company, email),
    attachCall: (leg, customer, addNumber) => ask("AttachCall", leg, customer, addNumber),
    options: async (kind) => {
      try {
        return readOptions(await call("Options", kind));
      } catch {
        return { ...failed, options: [] };
      }
    },
    changeTags: (leg, add, remove) => ask("ChangeTags", leg, add, remove),
    setStatus: (leg, status) => ask("SetStatus", leg, status),
    setTicketStatus: (leg, ticket, status) => ask("SetTicketStatus", leg, ticket, status),
    setPresence: (state, reason) => ask("SetPresence", state, reason),
    saveWrapUp: (leg, outcome, note) => ask("SaveWrapUp", leg, outcome, note),
    draftWrapUp: (leg, outcome, note) => ask("DraftWrapUp", leg, outcome, note),
    open: (leg, kind, id) => ask("Open", leg, kind, id),
    dismiss: (leg) => ask("Dismiss", leg),
    hide: () => tell("Hide"),
    painted: (seq, leg) => tell("Painted", seq, leg),
    outbox: (state, limit, after) => list(state, limit, after),
    retry: (seq) => ask("Retry", seq),
    retryAll: () => ask("RetryAll"),
    edit: (seq, outcome, note) => ask("Edit", seq, outcome, note),
    attach: (seq, customer) => ask("Attach", seq, customer),
    discard: (seq, reason) => ask("Discard", seq, reason),
    copyOutbox: () => ask("CopyOutbox"),
    saveOutbox: (title) => ask("SaveOutbox", title),
    copy: (text) => ask("Copy", text),
  };
}

function listen(host: Host, take: (delta: Delta) => void, unreadable: (error: unknown) => void): () => void {
  const on = host.runtime?.EventsOn;
  if (!on) return () => undefined;
  return on("delta", (payload) => {
    let delta: Delta;
    try {
      delta = readDelta(payload);
    } catch (error) {
      unreadable(error);
      return;
    }
    take(delta);
  });
}
