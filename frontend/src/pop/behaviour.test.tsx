import { afterEach, expect, test, vi } from "vitest";
import type { Card } from "../../shared/wire";
import { THINKING } from "../desk";
import { PAUSE } from "../drafts";
import { aCard } from "../fake";
import { QUIET } from "../keys";
import { mount } from "./mount";

let page: Awaited<ReturnType<typeof mount>>;
const leg = "5f0e8c1e-0000-5000-8000-000000000001";
const talking: Partial<Card> = { state: "connected", established_at: "2026-11-23T05:32:22Z", commands: ["hangup"] };
const second = (change: Partial<Card> = {}) =>
  aCard({
    leg: "second",
    search: "none",
    matches: [],
    picked: "",
    number: { ...aCard().number, e164: "+442079460999" },
    ...change,
  });
const TWO_FRAMES = 40;

afterEach(() => {
  page.dispose();
  vi.useRealTimers();
});

test("nothing takes the focus when a card appears", async () => {
  page = await mount([]);
  await page.send({ card: aCard(talking) });
  expect(document.activeElement).toBe(document.body);
});

test("Enter, Space and hot-keys are swallowed for 700 ms after a new card was painted, then work", async () => {
  page = await mount([]);
  await page.send({ card: aCard() });
  await page.wait(TWO_FRAMES);
  await page.wait(700 - 50);
  const answer = page.button("Answer") as HTMLButtonElement;
  expect(page.press("Enter", {}, answer).defaultPrevented).toBe(true);
  expect(page.press(" ", {}, answer).defaultPrevented).toBe(true);
  page.press("a", { altKey: true, code: "KeyA" });
  expect(page.calls("command")).toEqual([]);
  await page.wait(60);
  expect(page.press("Enter", {}, answer).defaultPrevented).toBe(false);
  page.press("a", { altKey: true, code: "KeyA" });
  expect(page.calls("command")).toEqual([[leg, "answer", ""]]);
});

test("keys are swallowed while a new card has not been painted at all", async () => {
  page = await mount([]);
  await page.wait(2000);
  await page.send({ card: aCard() });
  expect(page.press("Enter").defaultPrevented).toBe(true);
});

test("hot-keys work only in the window that has the focus, and only for what is offered", async () => {
  page = await mount([aCard()]);
  await page.wait(QUIET + TWO_FRAMES);
  const focus = vi.spyOn(document, "hasFocus").mockReturnValue(false);
  page.press("a", { altKey: true, code: "KeyA" });
  focus.mockReturnValue(true);
  page.press("h", { altKey: true, code: "KeyH" });
  expect(page.calls("command")).toEqual([]);
  page.press("r", { altKey: true, code: "KeyR" });
  page.press("Escape");
  expect(page.calls("command")).toEqual([[leg, "reject", ""]]);
  expect(page.calls("hide")).toHaveLength(1);
});

test("Escape that ends the choice of a Chinese character does not hide the window", async () => {
  page = await mount([aCard()]);
  await page.wait(QUIET + TWO_FRAMES);
  page.press("Escape", { isComposing: true });
  expect(page.calls("hide")).toEqual([]);
});

test("a second call does not interrupt an agent who types, but stands out in the strip", async () => {
  page = await mount([aCard(talking)]);
  page.type("wants a ref");
  const note = page.note();
  await page.send({ card: second() });
  expect(page.name()).toBe("陈丽华");
  expect(page.note()).toBe(note);
  expect(document.activeElement).toBe(note);
  expect(page.press(" ", {}, note).defaultPrevented).toBe(false);
  expect(page.root.querySelector(".strip-card.is-ring")?.textContent).toContain("Ringing");
  note.blur();
  await page.wait(THINKING);
  expect(page.name()).toBe("+44 207 946 0999");
  expect(page.root.querySelector(".strip-note")).not.toBeNull();
});

test("a second call comes to the front when nothing is being typed, and a click goes back", async () => {
  page = await mount([aCard(talking)]);
  await page.send({ card: second() });
  expect(page.name()).toBe("+44 207 946 0999");
  page.all<HTMLButtonElement>(".strip-card")[0]?.click();
  expect(page.name()).toBe("陈丽华");
  await page.send({ card: second({ ring_ms: 5 }) });
  expect(page.name()).toBe("陈丽华");
  await page.send({ card: second({ ...talking }) });
  expect(page.name()).toBe("+44 207 946 0999");
});

test("what is typed is handed over 2 s after the last key", async () => {
  page = await mount([aCard(talking)]);
  page.type("a");
  await page.wait(PAUSE - 100);
  page.type("ab");
  await page.wait(PAUSE - 100);
  expect(page.calls("draft")).toEqual([]);
  await page.wait(200);
  expect(page.calls("draft")).toEqual([[leg, "", "ab"]]);
  expect(page.text()).toContain("Draft kept");
});

test("leaving the note hands the draft over at once and once only", async () => {
  page = await mount([aCard(talking)]);
  page.type("abc");
  page.note().blur();
  expect(page.calls("draft")).toHaveLength(1);
  await page.wait(PAUSE * 2);
  expect(page.calls("draft")).toEqual([[leg, "", "abc"]]);
});

test("closing the window hands the draft over", async () => {
  page = await mount([aCard(talking)]);
  page.type("abc");
  window.dispatchEvent(new Event("pagehide"));
  expect(page.calls("draft")).toEqual([[leg, "", "abc"]]);
});

test("a change of the card does not undo what is being typed", async () => {
  page = await mount([aCard(talking)]);
  page.type("half a sent");
  await page.send({ card: aCard({ ...talking, state: "hold", wrapup: { outcome: "", note: "half", saved_at: "" } }) });
  expect(page.note().value).toBe("half a sent");
});

test("how the call ended and what came of it are two things: one is read, the other chosen", async () => {
  page = await mount([aCard(talking)]);
  await page.send({ card: aCard({ state: "cleared", ending: "missed", commands: [] }) });
  expect(page.root.querySelector("[data-ending=missed]")?.textContent).toBe("Missed");
  expect(page.root.querySelector(".ending input, .ending select")).toBeNull();
  expect(page.all<HTMLInputElement>(".outcomes input").map((i) => i.value)).toEqual(["Order placed", "Complaint"]);
  page.all<HTMLInputElement>(".outcomes input")[1]?.click();
  await page.wait(QUIET + TWO_FRAMES);
  page.type("call back");
  page.press("Enter", { ctrlKey: true }, page.note());
  expect(page.calls("save")).toEqual([[leg, "Complaint", "call back"]]);
  expect(page.root.querySelector("[data-ending]")?.textContent).toBe("Missed");
});

test("a saved wrap-up says so, and the agent's card takes over from the draft", async () => {
  page = await mount([aCard(talking)]);
  await page.wait(QUIET + TWO_FRAMES);
  page.type("done");
  page.button("Save")?.click();
  await page.wait(0);
  expect(page.text()).toContain("Saved");
  expect(page.button("Save")?.disabled).toBe(true);
  const wrapup = { outcome: "Complaint", note: "done, cut", saved_at: "2026-11-23T05:33:00Z" };
  await page.send({ card: aCard({ ...talking, wrapup }) });
  expect(page.note().value).toBe("done, cut");
});

test("a wrap-up that was refused stays unsaved and says why", async () => {
  page = await mount([aCard(talking)]);
  page.state.answer = { ok: false, kind: "internal", message: "" };
  page.type("done");
  page.button("Save")?.click();
  await page.wait(0);
  expect(page.text()).toContain("Something went wrong in Ringside");
  expect(page.text()).toContain("Not saved yet");
  expect(page.button("Save")?.disabled).toBe(false);
});

test("the write-back says where the record is", async () => {
  page = await mount([aCard(talking)]);
  const write = { state: "retrying" as const, kind: "offline", message: "no route", attempts: 2, record_id: "" };
  const over = { state: "cleared" as const, ending: "answered", commands: [] };
  await page.send({ card: aCard({ ...over, write: { ...write, next_at: "2026-11-23T05:35:00Z" } }) });
  expect(page.root.querySelector(".write")?.textContent).toMatch(/Retrying at \d\d:\d\d/);
  expect(page.text()).toContain("no route");
  await page.send({ card: aCard({ ...over, write: { ...write, state: "delivered", next_at: "", record_id: "r1" } }) });
  page.button("Show record")?.click();
  expect(page.calls("open")).toEqual([[leg, "call", "r1"]]);
});

test("a colleague's call has no wrap-up", async () => {
  page = await mount([aCard()]);
  await page.send({ card: aCard({ state: "cleared", ending: "answered_elsewhere" }) });
  expect(page.root.querySelector(".wrapup")).toBeNull();
  expect(page.text()).toContain("Answered by a colleague");
});

test("painted is told after two frames, with the seq and the leg", async () => {
  page = await mount([]);
  await page.wait(TWO_FRAMES);
  await page.send({ card: aCard() });
  await page.wait(17);
  expect(page.calls("painted")).toEqual([[10, ""]]);
  await page.wait(17);
  expect(page.calls("painted")).toEqual([
    [10, ""],
    [11, leg],
  ]);
});
