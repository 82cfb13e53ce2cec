import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { OutboxItem, Result } from "../../shared/wire";
import { THINKING } from "../desk";
import { aCard, anItem, ok } from "../fake";
import { speech } from "../i18n";
import { QUIET } from "../keys";
import { mount } from "../pop/mount";
import { ASK_AGAIN, GATHER, PAGE } from "./model";
import { itemAbout, itemWhy } from "./words";

type Page = Awaited<ReturnType<typeof mount>>;
let page: Page;
const TWO_FRAMES = 40;

const review = (seq: number, change: Partial<OutboxItem> = {}) =>
  anItem(seq, { state: "review", kind: "invalid", message: "Field Subject is required", ...change });

const counts = (items: OutboxItem[]) => {
  const toCheck = items.filter((it) => it.state === "review").length;
  return { waiting: items.length - toCheck, review: toCheck, oldest_at: "2026-11-23T02:32:30Z" };
};

/** The window with these items in the outbox, not opened yet. */
async function mounted(items: OutboxItem[], cards = [] as ReturnType<typeof aCard>[], language = "en"): Promise<void> {
  page = await mount(cards, { outbox: counts(items), language });
  page.state.items = items;
  await page.wait(QUIET + TWO_FRAMES);
}

const corner = () => page.root.querySelector<HTMLButtonElement>(".outbox") as HTMLButtonElement;
const rows = () => page.all(".item-head").map((row) => row.textContent ?? "");
const press = async (words: string) => {
  const button = page.button(words);
  if (!button) throw new Error(`there is no button ${words} in: ${page.text()}`);
  button.click();
  await page.wait(0);
};
const open = async () => {
  corner().click();
  await page.wait(0);
};
const unfold = async (n = 0) => {
  page.all<HTMLButtonElement>(".item-head")[n]?.click();
  await page.wait(0);
};
const line = () => page.root.querySelector<HTMLInputElement>("input.line") as HTMLInputElement;
const write = (field: HTMLInputElement | HTMLTextAreaElement, words: string) => {
  field.focus();
  field.value = words;
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
};
const refuse = (kind: string, message: string): Result => ({ ok: false, kind, message });

beforeEach(() => {
  Element.prototype.scrollIntoView ??= () => undefined;
});
afterEach(() => {
  page.dispose();
  vi.useRealTimers();
});

test("the corner opens the list and closes it again, and nothing is read before", async () => {
  await mounted([anItem(1)]);
  expect(page.calls("outbox")).toEqual([]);
  expect(corner().getAttribute("aria-expanded")).toBe("false");
  await open();
  expect(corner().getAttribute("aria-expanded")).toBe("true");
  expect(page.root.querySelector(".panel h1")?.textContent).toBe("Not in the CRM yet");
  expect(page.calls("outbox")).toEqual([["waiting", PAGE, 0]]);
  corner().click();
  expect(page.root.querySelector(".panel")).toBeNull();
});

test("with nothing on its way the corner is still there and the list says that all has arrived", async () => {
  await mounted([]);
  expect(corner().textContent).toBe("Everything has reached the CRM");
  await open();
  expect(page.text()).toContain("Everything has reached the CRM");
  expect(page.all(".tab, .panel-actions")).toEqual([]);
});

test.each([
  { language: "en", why: "Next try in 9 minutes · the CRM could not be reached", ended: "Answered" },
  { language: "zh-CN", why: "9分钟后重试 · the CRM could not be reached", ended: "已接听" },
])(
  "a row says who, which number, when, and why in the CRM's own words, in $language",
  async ({ language, why, ended }) => {
    await mounted([anItem(1)], [], language);
    await open();
    const [row] = rows();
    for (const part of ["陈丽华", `+86 138 0013 8000 · ${ended} · Order placed`, why]) expect(row).toContain(part);
    expect(page.root.querySelector(".item-when")?.textContent).toMatch(/\d\d:\d\d/);
  },
);

test("each state is told in words of its own", async () => {
  const far = { due: "2026-11-23T05:32:50Z", message: "" };
  await mounted([
    anItem(1, { state: "queued" }),
    anItem(2, { state: "sending" }),
    anItem(3, { state: "reconciling" }),
    anItem(4, far),
    anItem(5, { due: "2026-11-23T05:00:00Z", message: "" }),
    anItem(6, { name: "", number: { number: "x", e164: "", key: "", ext: "", class: "", withheld: true } }),
  ]);
  await open();
  const said = rows();
  expect(said[0]).toContain("Waiting for its turn");
  expect(said[1]).toContain("Being sent…");
  expect(said[2]).toContain("It may have arrived: being checked");
  expect(said[3]).toContain("Next try in less than a minute · Could not be reached");
  expect(said[4]).toContain("Next try now");
  expect(said[5]).toContain("Number withheld");
});

test("what needs a person comes first, and the other list is one click away", async () => {
  await mounted([anItem(1), review(2)]);
  await open();
  expect(rows()).toHaveLength(1);
  expect(rows()[0]).toContain("Field Subject is required");
  expect(page.text()).toContain("oldest: 3h");
  await press("Waiting 1");
  expect(rows()[0]).toContain("Next try");
  expect(page.calls("outbox")).toEqual([
    ["review", PAGE, 0],
    ["waiting", PAGE, 0],
  ]);
});

test("an empty half of the list says so", async () => {
  await mounted([anItem(1)]);
  await open();
  await press("To check 0");
  expect(page.text()).toContain("Nothing needs a person.");
});

test("only the first 200 are read, and more on request, without reading those again", async () => {
  await mounted(Array.from({ length: 2 * PAGE + 1 }, (_, i) => anItem(i + 1)));
  await open();
  expect(rows()).toHaveLength(PAGE);
  await press("Show more");
  expect(rows()).toHaveLength(2 * PAGE);
  await press("Show more");
  expect(rows()).toHaveLength(2 * PAGE + 1);
  expect(page.button("Show more")).toBeUndefined();
  expect(page.calls("outbox")).toEqual([0, PAGE, 2 * PAGE].map((after) => ["waiting", PAGE, after]));
});

test("retry asks for that item, and the list is read again", async () => {
  await mounted([review(7), review(8)]);
  await open();
  await unfold(1);
  page.state.items = [review(7)];
  await press("Try now");
  expect(page.calls("retry")).toEqual([[8]]);
  expect(rows()).toHaveLength(1);
});

test("a refused action is told at the item with the agent's own words, and can be tried again", async () => {
  await mounted([review(7)]);
  await open();
  await unfold();
  page.state.answer = refuse("conflict", "it is being sent just now");
  await press("Try now");
  expect(page.root.querySelector(".item-body")?.textContent).toContain("it is being sent just now");
  expect(page.button("Try now")?.disabled).toBe(false);
  page.root.querySelector<HTMLButtonElement>("[aria-label='Close message']")?.click();
  expect(page.text()).not.toContain("just now");
});

test("what is being sent just now offers nothing", async () => {
  await mounted([anItem(1, { state: "sending" })]);
  await open();
  await unfold();
  expect(page.all(".item-actions")).toEqual([]);
});

test("the details show the note, the customer, and each attempt, newest first", async () => {
  await mounted([anItem(1, { begun: "2026-11-23T05:20:00Z" })]);
  await open();
  await unfold();
  const tries = page.all(".item-try").map((t) => t.textContent);
  expect(tries[0]).toContain("Something went wrong in Ringside");
  expect(tries[1]).toContain("the CRM could not be reached");
  for (const part of ["下周二送货", "c_000001", "the CRM may have it"]) expect(page.text()).toContain(part);
});

test("attempts in a row that went alike are told once, with the newest time", async () => {
  const went = (at: string, message: string) => ({
    at: `2026-11-23T05:${at}:00Z`,
    took_ms: 1,
    kind: "offline",
    message,
  });
  await mounted([
    anItem(1, { tries: [went("10", "down"), went("11", "busy"), went("12", "busy"), went("13", "busy")] }),
  ]);
  await open();
  await unfold();
  const told = page.all(".item-try").map((t) => t.textContent ?? "");
  expect(told).toHaveLength(2);
  expect(told[0]).toMatch(/:13.*3 times: busy/);
  expect(told[1]).toMatch(/:10.*[^:] down/);
});

test("an edit sends outcome and note of exactly that item", async () => {
  await mounted([review(7)]);
  await open();
  await unfold();
  await press("Edit");
  expect(document.activeElement).toBe(page.note());
  expect(page.note().value).toBe("下周二送货");
  page.all<HTMLInputElement>(".item-form .outcomes input")[1]?.click();
  write(page.note(), "call back on Monday");
  await press("Save and try");
  expect(page.calls("edit")).toEqual([[7, "Complaint", "call back on Monday"]]);
  expect(page.all(".item-form")).toEqual([]);
});

test("Ctrl+Enter in the note saves, Enter alone does not", async () => {
  await mounted([review(7)]);
  await open();
  await unfold();
  await press("Edit");
  page.press("Enter", {}, page.note());
  expect(page.calls("edit")).toEqual([]);
  page.press("Enter", { ctrlKey: true }, page.note());
  expect(page.calls("edit")).toEqual([[7, "Order placed", "下周二送货"]]);
});

test("a refused edit keeps what was typed and says why", async () => {
  await mounted([review(7)]);
  await open();
  await unfold();
  await press("Edit");
  write(page.note(), "long and precious");
  page.state.answer = refuse("internal", "");
  await press("Save and try");
  expect(page.note().value).toBe("long and precious");
  expect(page.text()).toContain("Something went wrong in Ringside");
});

test("whose record nobody knows is not sent, but given to one of those the card found", async () => {
  const card = aCard({ leg: "L", state: "cleared", picked: "", search: "several" });
  const [match] = card.matches;
  if (!match) throw new Error("the example has no match");
  const second = { ...match, customer: { ...match.customer, id: "c_9", name: "B. Hart" } };
  await mounted([review(7, { leg: "L", unclear: true, customer_id: "" })], [{ ...card, matches: [match, second] }]);
  await open();
  expect(rows()[0]).toContain("Several customers share this number");
  await unfold();
  expect(page.button("Try now")).toBeUndefined();
  await press("Choose customer");
  expect(line()).toBeNull();
  page.all<HTMLButtonElement>(".candidate button")[1]?.click();
  expect(page.calls("pick")).toEqual([["L", "c_9"]]);
  expect(page.calls("attach")).toEqual([]);
});

test("without the card the customer is named by the number in the CRM", async () => {
  await mounted([review(7, { unclear: true, leg: "gone" })]);
  await open();
  await unfold();
  await press("Choose customer");
  expect(page.button("Record for this customer")?.disabled).toBe(true);
  page.press("Enter", {}, line());
  write(line(), "  c_42 ");
  await press("Record for this customer");
  expect(page.calls("attach")).toEqual([[7, "c_42"]]);
});

test("discarding wants a reason and then asks once more, with the focus on keeping it", async () => {
  await mounted([review(7)]);
  await open();
  await unfold();
  await press("Discard");
  expect(page.button("Discard…")?.disabled).toBe(true);
  page.press("Enter", {}, line());
  expect(page.button("Discard for good")).toBeUndefined();
  write(line(), " a test call ");
  page.press("Enter", {}, line());
  expect(page.calls("discard")).toEqual([]);
  expect(page.text()).toContain("This cannot be undone");
  expect(document.activeElement?.textContent).toBe("Keep the record");
  await press("Keep the record");
  expect(page.calls("discard")).toEqual([]);
  await press("Discard");
  await press("Discard…");
  await press("Discard for good");
  expect(page.calls("discard")).toEqual([[7, "a test call"]]);
});

test("Escape goes back one step at a time: the form, the list, the window", async () => {
  await mounted([review(7)]);
  await open();
  expect(document.activeElement?.textContent).toBe("Not in the CRM yet");
  await unfold();
  await press("Edit");
  page.press("Escape", {}, page.note());
  expect([page.all(".item-form").length, page.all(".panel").length]).toEqual([0, 1]);
  page.press("Escape");
  expect(page.all(".panel")).toEqual([]);
  expect(document.activeElement).toBe(corner());
  expect(page.calls("hide")).toEqual([]);
  page.press("Escape");
  expect(page.calls("hide")).toHaveLength(1);
});

test("the keys of a card that is not in view do nothing", async () => {
  await mounted([review(7)], [aCard()]);
  await open();
  page.press("a", { altKey: true, code: "KeyA" });
  expect(page.calls("command")).toEqual([]);
});

test("a call that begins to ring comes before the list and takes no key for 700 ms", async () => {
  await mounted([review(7)]);
  await open();
  await page.send({ card: aCard() });
  expect(page.all(".panel")).toEqual([]);
  expect(page.name()).toBe("陈丽华");
  const answer = page.button("Answer") as HTMLButtonElement;
  await page.wait(TWO_FRAMES + QUIET - 50);
  expect(page.press("Enter", {}, answer).defaultPrevented).toBe(true);
  await page.wait(60);
  expect(page.press("Enter", {}, answer).defaultPrevented).toBe(false);
});

test("a call that rang already when the list was opened does not close it, the next one does", async () => {
  await mounted([review(7)], [aCard()]);
  await open();
  await page.send({ card: aCard({ leg: "old", state: "cleared", ending: "missed" }) });
  expect(page.all(".panel")).toHaveLength(1);
  expect(page.all(".strip-card")).toHaveLength(1);
  await page.send({ card: aCard({ leg: "next" }) });
  expect(page.all(".panel")).toEqual([]);
});

test("a call does not interrupt somebody who types in the list: it stands in the strip until the typing is over", async () => {
  await mounted([review(7)]);
  await open();
  await unfold();
  await press("Edit");
  write(page.note(), "half a sen");
  await page.send({ card: aCard() });
  expect(document.activeElement).toBe(page.note());
  expect(page.root.querySelector(".strip-card.is-ring")?.textContent).toContain("Ringing");
  expect(page.press(" ", {}, page.note()).defaultPrevented).toBe(false);
  expect(page.press("Enter", {}, page.button("Save and try")).defaultPrevented).toBe(true);
  page.note().blur();
  await page.wait(THINKING);
  expect(page.all(".panel")).toEqual([]);
  expect(page.press("Enter", {}, page.button("Answer")).defaultPrevented).toBe(true);
  await page.wait(TWO_FRAMES + QUIET);
  expect(page.press("Enter", {}, page.button("Answer")).defaultPrevented).toBe(false);
  await page.send({ card: aCard({ state: "cleared", ending: "missed" }) });
  await open();
  expect(page.note().value).toBe("half a sen");
});

test("in a line of text a blank is written even while keys are held back, and Enter is not", async () => {
  await mounted([review(7)]);
  await open();
  await unfold();
  await press("Discard");
  write(line(), "a");
  await page.send({ card: aCard() });
  expect(page.press(" ", {}, line()).defaultPrevented).toBe(false);
  expect(page.press("Enter", {}, line()).defaultPrevented).toBe(true);
  expect(page.button("Discard for good")).toBeUndefined();
});

test("a click on a call in the strip shows its card", async () => {
  await mounted([review(7)], [aCard({ state: "connected", established_at: "2026-11-23T05:32:22Z" })]);
  await open();
  page.root.querySelector<HTMLButtonElement>(".strip-card")?.click();
  expect(page.all(".panel")).toEqual([]);
  expect(page.name()).toBe("陈丽华");
});

test("the list follows the outbox, but is not read at every change", async () => {
  await mounted([anItem(1), anItem(2)]);
  await open();
  const before = page.calls("outbox").length;
  page.state.items = [anItem(2)];
  for (const waiting of [5, 4, 3, 2, 1]) await page.send({ outbox: { waiting, review: 0, oldest_at: "" } });
  expect(page.calls("outbox")).toHaveLength(before);
  await page.wait(GATHER);
  expect(page.calls("outbox")).toHaveLength(before + 1);
  expect(rows()).toHaveLength(1);
});

test("a closed list reads nothing", async () => {
  await mounted([anItem(1)]);
  await open();
  page.press("Escape");
  const before = page.calls("outbox").length;
  await page.send({ outbox: { waiting: 9, review: 0, oldest_at: "" } });
  await page.wait(GATHER * 4);
  expect(page.calls("outbox")).toHaveLength(before);
});

test("a record that is delivered while somebody edits it does not take the form away", async () => {
  await mounted([review(7), review(8)]);
  await open();
  await unfold();
  await press("Edit");
  const note = page.note();
  write(note, "still typing");
  page.state.items = [review(8)];
  await page.send({ outbox: { waiting: 0, review: 1, oldest_at: "" } });
  await page.wait(GATHER);
  expect(page.note()).toBe(note);
  expect(rows()).toHaveLength(2);
  page.press("Escape", {}, note);
  await page.send({ outbox: { waiting: 0, review: 1, oldest_at: "" } });
  await page.wait(GATHER);
  expect(rows()).toHaveLength(1);
});

test("an answer that comes after the other half was chosen is not shown there", async () => {
  await mounted([anItem(1), review(2)]);
  let late: (value: unknown) => void = () => undefined;
  const quick = page.api.outbox;
  page.api.outbox = async (state, limit, after) => {
    const answer = await quick(state, limit, after);
    if (state === "review") await new Promise((go) => (late = go));
    return answer;
  };
  await open();
  await press("Waiting 1");
  late(undefined);
  await page.wait(0);
  expect(rows()).toHaveLength(1);
  expect(rows()[0]).toContain("Next try");
});

test("an outbox that cannot be read says why and is asked again", async () => {
  await mounted([anItem(1)]);
  const good = page.api.outbox;
  page.api.outbox = async () => ({ ...refuse("offline", "the store is being rebuilt"), items: [] });
  await open();
  expect(page.text()).toContain("the store is being rebuilt");
  expect(page.text()).not.toContain("Nothing is waiting");
  page.api.outbox = good;
  await page.wait(ASK_AGAIN);
  expect(rows()).toHaveLength(1);
  expect(page.text()).not.toContain("being rebuilt");
});

test("the whole list can be tried, copied and saved, and each says what came of it", async () => {
  await mounted([anItem(1)]);
  await open();
  await press("Try all now");
  expect(page.text()).toContain("All are tried again now.");
  await press("Copy list");
  expect(page.text()).toContain("Copied as CSV");
  page.state.answer = { ...ok, message: "/home/wang/Desktop/ringside.csv" };
  await press("Save list…");
  expect(page.text()).toContain("Saved: ringside.csv");
  expect(["retryAll", "copyOutbox"].map((name) => page.calls(name).length)).toEqual([1, 1]);
  expect(page.calls("saveOutbox")).toEqual([["Save the waiting records as CSV"]]);
});

test("a file that was not chosen is no success, and one that was refused says why", async () => {
  await mounted([anItem(1)]);
  await open();
  await press("Save list…");
  expect(page.text()).not.toContain("Saved");
  page.state.answer = refuse("invalid", "the file cannot be written there");
  await press("Save list…");
  expect(page.text()).toContain("the file cannot be written there");
});

test("all at once is offered for what waits, not for what needs a person", async () => {
  await mounted([review(1)]);
  await open();
  expect(page.button("Try all now")).toBeUndefined();
});

test("what a caller or the CRM can write is text and nothing else", async () => {
  const evil = '<img src=x onerror="alert(1)">';
  const tries = [{ at: "2026-11-23T05:32:18Z", took_ms: 1, kind: evil, message: evil }];
  await mounted([
    review(1, { name: evil, message: evil, outcome: evil, note: evil, customer_id: evil, ending: evil, tries }),
  ]);
  await open();
  await unfold();
  expect(page.all("img")).toEqual([]);
  expect(page.text()).toContain(evil);
});

test("a hidden window has its list closed, for the next call", async () => {
  await mounted([anItem(1)]);
  await open();
  vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
  document.dispatchEvent(new Event("visibilitychange"));
  expect(page.all(".panel")).toEqual([]);
});

test("a customer to be made says so, and is not given to another one", async () => {
  await mounted([review(9, { op: "create_contact", ending: "", outcome: "", unclear: false })]);
  await open();
  expect(rows()[0]).toContain("New customer");
  await unfold();
  expect([page.button("Choose customer"), page.button("Edit")]).toEqual([undefined, undefined]);
  await press("Discard");
});

test("a change says what the agent wants, and what the CRM has where both changed it", async () => {
  const change = { op: "update_contact", value: "follow_up", name: "", outcome: "", ending: "", message: "" };
  const both = anItem(1, { ...change, state: "review", kind: "conflict", theirs: "inactive" });
  const say = speech("en", "en");
  expect(itemAbout(both, say)).toContain("Customer changed · “follow_up”");
  expect(itemWhy(both, say, 0)).toBe("Status: you set “follow_up”, meanwhile it is “inactive” in the CRM");
  const tags = anItem(2, { ...change, op: "add_tags", value: "a\nb", theirs: "" });
  expect(itemAbout(tags, say)).toContain("Tags added · “a, b”");
});
