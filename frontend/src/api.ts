// The only file that touches Wails: methods bound on window.go.window.Page, events on window.runtime.
import { type Delta, type Result, readDelta, readResult, readSnapshot, type Snapshot } from "../shared/wire";

/** What can be asked of the agent. A command never rejects: what goes wrong comes back as a Result. */
export interface Api {
  /** Rejects when the agent cannot be reached or speaks a newer version. */
  snapshot(): Promise<Snapshot>;
  /** Calls back with each change, or with the error of one that could not be read. Returns how to stop. */
  onDelta(take: (delta: Delta) => void, unreadable: (error: unknown) => void): () => void;
  command(leg: string, command: string): Promise<Result>;
  dial(number: string): Promise<Result>;
  pick(leg: string, customer: string): Promise<Result>;
  saveWrapUp(leg: string, outcome: string, note: string): Promise<Result>;
  draftWrapUp(leg: string, outcome: string, note: string): Promise<Result>;
  open(leg: string, kind: "customer" | "ticket" | "call", id: string): Promise<Result>;
  dismiss(leg: string): Promise<Result>;
  hide(): void;
  painted(seq: number, leg: string): void;
}

type Method = (...args: (string | number)[]) => Promise<unknown>;

/** What Wails puts on window; checked call by call, because it is not typed. */
export interface Host {
  go?: { window?: { Page?: Record<string, Method | undefined> } };
  runtime?: { EventsOn?: (event: string, take: (payload: unknown) => void) => () => void };
}

declare global {
  interface Window extends Host {}
}

export function connect(host: Host = window): Api {
  const call = (name: string, ...args: (string | number)[]): Promise<unknown> => {
    const method = host.go?.window?.Page?.[name];
    return method ? method(...args) : Promise.reject(new Error(`Page.${name} is not bound`));
  };
  const ask = async (name: string, ...args: string[]): Promise<Result> => {
    try {
      return readResult(await call(name, ...args));
    } catch {
      return { ok: false, kind: "internal", message: "" };
    }
  };
  const tell = (name: string, ...args: (string | number)[]): void => {
    call(name, ...args).catch(() => undefined); // nothing on the screen depends on it
  };
  return {
    snapshot: async () => readSnapshot(await call("Snapshot")),
    onDelta: (take, unreadable) => listen(host, take, unreadable),
    command: (leg, command) => ask("Command", leg, command),
    dial: (number) => ask("Dial", number),
    pick: (leg, customer) => ask("Pick", leg, customer),
    saveWrapUp: (leg, outcome, note) => ask("SaveWrapUp", leg, outcome, note),
    draftWrapUp: (leg, outcome, note) => ask("DraftWrapUp", leg, outcome, note),
    open: (leg, kind, id) => ask("Open", leg, kind, id),
    dismiss: (leg) => ask("Dismiss", leg),
    hide: () => tell("Hide"),
    painted: (seq, leg) => tell("Painted", seq, leg),
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
