// The list of what has not reached the CRM, while it is open: what was read, what is unfolded, what is being filled in.
// The agent decides what may be done; a refusal comes back and is shown beside the item.
import { createSignal, onCleanup } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import type { Outbox, OutboxItem, Result } from "../../shared/wire";
import type { Api } from "../api";
import type { createRequests, Refusal } from "../requests";

export type Tab = "review" | "waiting";
export type FormKind = "edit" | "attach" | "discard";

/** What is filled in, kept for each item and form until it was taken or the window ends: a call must not cost what was typed. */
export interface Filled {
  outcome: string;
  note: string;
  customer: string;
  reason: string;
}

interface Form {
  kind: FormKind;
  seq: number;
  sure: boolean; // discard: the reason was given, now it asks once more
}

interface List {
  tab: Tab;
  items: OutboxItem[];
  phase: "reading" | "read";
  more: boolean;
  refusal?: Refusal;
  unfolded: number; // seq; 0: none
  form?: Form;
  said: string; // what came of the last thing done with the whole list
}

/** So many are read at once: more is searching, not looking. */
export const PAGE = 200;

/** How long changes are gathered before the list is read again: a draining outbox tells many a second. */
export const GATHER = 500;

/** How long to wait before an outbox that could not be read is asked again. */
export const ASK_AGAIN = 2000;

/** The key of the requests that are about the whole list. */
export const WHOLE = "outbox";

export const keyOf = (seq: number) => `${WHOLE} ${seq}`;

type Requests = ReturnType<typeof createRequests>;
type Asked = Pick<
  Api,
  "outbox" | "retry" | "retryAll" | "edit" | "attach" | "pick" | "discard" | "copyOutbox" | "saveOutbox"
>;

export function createOutbox(api: Asked, requests: Requests, counts: () => Outbox) {
  const [open, setOpen] = createSignal(false);
  const [left, setLeft] = createSignal(0); // rises when the reader closes the list: the focus goes back
  const [list, set] = createStore<List>(nothing());
  const [filled, fill] = createStore<Record<string, Filled | undefined>>({});
  let reading = 0; // the newest reading; older answers are dropped
  let again: ReturnType<typeof setTimeout> | undefined;
  onCleanup(() => clearTimeout(again));

  function show(): void {
    const form = list.form; // one that a call interrupted is still there
    const items = list.items.filter((it) => it.seq === form?.seq);
    const tab = form ? list.tab : counts().review > 0 ? "review" : "waiting";
    set({ ...nothing(), tab, items, form, unfolded: form?.seq ?? 0 });
    setOpen(true);
    void read(PAGE);
  }

  function hide(): void {
    clearTimeout(again);
    again = undefined;
    reading += 1;
    setOpen(false);
  }

  function close(): void {
    hide();
    setLeft((n) => n + 1);
  }

  /** Reads until there are so many, behind those it need not read again. The item whose form is open stays, also when it left. */
  async function read(wanted: number, known: readonly OutboxItem[] = []): Promise<void> {
    reading += 1;
    const mine = reading;
    const tab = list.tab;
    const items = [...known];
    for (let more = true; more && items.length < wanted; ) {
      const page = await api.outbox(tab, PAGE, items.at(-1)?.seq ?? 0);
      if (mine !== reading) return;
      if (!page.ok) {
        set({ phase: "read", refusal: { kind: page.kind || "internal", message: page.message } });
        clearTimeout(again);
        again = setTimeout(readAgain, ASK_AGAIN);
        return;
      }
      items.push(...page.items);
      more = page.items.length === PAGE;
      set("more", more);
    }
    const filling = list.items.find((it) => it.seq === list.form?.seq);
    if (filling && !items.some((it) => it.seq === filling.seq)) {
      const at = items.findIndex((it) => it.seq > filling.seq);
      items.splice(at < 0 ? items.length : at, 0, { ...filling });
    }
    set({ phase: "read", refusal: undefined });
    set("items", reconcile(items, { key: "seq" }));
  }

  const refresh = () => read(Math.max(PAGE, list.items.length));

  /** Something changed: the list is read again, but not at every change. */
  function touch(): void {
    if (!open() || again) return;
    again = setTimeout(readAgain, GATHER);
  }

  function readAgain(): void {
    again = undefined;
    void refresh();
  }

  function choose(tab: Tab): void {
    if (tab === list.tab) return;
    set({ ...nothing(), tab, form: undefined, refusal: undefined });
    void read(PAGE);
  }

  function unfold(seq: number): void {
    set({ unfolded: list.unfolded === seq ? 0 : seq, form: undefined });
  }

  function begin(kind: FormKind, it: OutboxItem): void {
    const key = `${kind} ${it.seq}`;
    if (!filled[key]) fill(key, { outcome: it.outcome, note: it.note, customer: "", reason: "" });
    requests.clear(keyOf(it.seq));
    set({ form: { kind, seq: it.seq, sure: false }, unfolded: it.seq });
  }

  const cancel = () => set("form", undefined);
  const formKey = () => (list.form ? `${list.form.kind} ${list.form.seq}` : "");

  /** Asks something about one item; once it was taken the form is done with and the list is read again. */
  function ask(seq: number, what: string, how: () => Promise<Result>): Promise<boolean> {
    const form = formKey();
    return requests.run(keyOf(seq), what, async () => {
      const result = await how();
      if (!result.ok) return result;
      requests.release(keyOf(seq));
      if (form) {
        fill(form, undefined);
        if (formKey() === form) cancel();
      }
      void refresh();
      return result;
    });
  }

  function askAll(what: string, how: () => Promise<Result>, said: (result: Result) => string): Promise<boolean> {
    set("said", "");
    requests.clear(WHOLE);
    return requests.run(WHOLE, what, async () => {
      const result = await how();
      if (result.ok) {
        requests.release(WHOLE);
        set("said", said(result));
        touch();
      }
      return result;
    });
  }

  /** Esc goes one step back; false: there is none, the list is closed. */
  function back(): boolean {
    if (!open()) return false;
    if (list.form) cancel();
    else close();
    return true;
  }

  return {
    open,
    left,
    list,
    show,
    hide,
    close,
    touch,
    choose,
    unfold,
    begin,
    cancel,
    back,
    more: () => read(list.items.length + PAGE, list.items),
    filled: () => filled[formKey()],
    fill: (change: Partial<Filled>) => formKey() && fill(formKey(), (now) => ({ ...(now as Filled), ...change })),
    reallyDiscard: (sure: boolean) => list.form && set("form", "sure", sure),
    retry: (seq: number) => ask(seq, "retry", () => api.retry(seq)),
    edit: (seq: number, to: Filled) => ask(seq, "edit", () => api.edit(seq, to.outcome, to.note)),
    attach: (seq: number, customer: string) => ask(seq, "attach", () => api.attach(seq, customer)),
    pick: (seq: number, leg: string, customer: string) => ask(seq, "attach", () => api.pick(leg, customer)),
    discard: (seq: number, reason: string) => ask(seq, "discard", () => api.discard(seq, reason)),
    retryAll: (said: string) => askAll("retry", api.retryAll, () => said),
    copy: (said: string) => askAll("copy", api.copyOutbox, () => said),
    save: (title: string, said: (file: string) => string) =>
      askAll(
        "save",
        () => api.saveOutbox(title),
        (result) => (result.message ? said(result.message) : ""),
      ),
  };
}

export type OutboxModel = ReturnType<typeof createOutbox>;

function nothing(): List {
  return { tab: "waiting", items: [], phase: "reading", more: false, refusal: undefined, unfolded: 0, said: "" };
}
