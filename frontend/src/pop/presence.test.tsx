import { afterEach, expect, test, vi } from "vitest";
import type { Card, Presence } from "../../shared/wire";
import { aCard } from "../fake";
import { mount } from "./mount";

let page: Awaited<ReturnType<typeof mount>>;
const leg = aCard().leg;
const reasons = ["Lunch", "Training"];
const ready: Presence = {
  state: "ready",
  reason: "",
  since: "2026-11-23T05:20:00Z",
  until: "",
  owed: "",
  can: true,
  reasons,
};
const afterCall: Presence = {
  ...ready,
  state: "working_after_call",
  since: "2026-11-23T05:32:20Z",
  until: "2026-11-23T05:33:00Z",
};
const over: Partial<Card> = { state: "cleared", ending: "answered", commands: [], changes: [] };
const show = async (presence: Presence, cards: Card[] = [], language = "en") => {
  page = await mount(cards, { presence, language });
};
const shown = () => page.root.querySelector(".presence");
const said = () => page.root.querySelector(".presence-is")?.textContent;
const opener = () => page.root.querySelector<HTMLButtonElement>("button.presence-is") as HTMLButtonElement;
const items = () => page.all<HTMLButtonElement>("[role=menuitemradio]");
const item = (words: string) => items().find((one) => one.textContent === words);
afterEach(() => {
  page.dispose();
  vi.useRealTimers();
});

test("a state nobody told, which cannot be set, is not there at all", async () => {
  await show({ ...ready, state: "", since: "", can: false, reasons: [] });
  expect(shown()).toBeNull();
});

test("a state that cannot be set is words without a button", async () => {
  await show({ ...ready, state: "not_ready", reason: "Lunch", can: false, reasons: [] });
  expect(said()).toBe("Not readyLunch12:30");
  expect(shown()?.querySelector("button")).toBeNull();
});

test.each([
  ["en", "Ready"],
  ["zh-CN", "就绪"],
])("in %s the state says how long it has been so, and goes on", async (language, word) => {
  await show(ready, [], language);
  expect(said()).toBe(`${word}12:30`);
  await page.wait(2000);
  expect(said()).toBe(`${word}12:32`);
});

test("a window that nobody sees does not count the seconds", async () => {
  await show(ready);
  const seen = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
  document.dispatchEvent(new Event("visibilitychange"));
  await page.wait(100);
  expect(vi.getTimerCount()).toBe(0);
  seen.mockReturnValue("visible");
  document.dispatchEvent(new Event("visibilitychange"));
  expect(vi.getTimerCount()).toBe(1);
});

test("the menu has Ready and the site's reasons, the present one marked, and sends what is chosen", async () => {
  await show({ ...ready, state: "not_ready", reason: "Lunch" });
  opener().click();
  expect(items().map((one) => [one.textContent, one.getAttribute("aria-checked")])).toEqual([
    ["Ready", "false"],
    ["Lunch", "true"],
    ["Training", "false"],
  ]);
  expect(document.activeElement).toBe(item("Lunch"));
  item("Training")?.click();
  expect(page.calls("setPresence")).toEqual([["not_ready", "Training"]]);
  expect(items()).toEqual([]);
});

test("without reasons the menu has Not ready alone", async () => {
  await show({ ...ready, reasons: [] });
  opener().click();
  expect(items().map((one) => one.textContent)).toEqual(["Ready", "Not ready"]);
  item("Not ready")?.click();
  expect(page.calls("setPresence")).toEqual([["not_ready", ""]]);
});

test("while a change is on its way nothing more can be asked, until the state changed", async () => {
  await show(ready);
  opener().click();
  item("Lunch")?.click();
  expect(opener().disabled).toBe(true);
  await page.send({ presence: { ...ready, state: "not_ready", reason: "Lunch" } });
  expect(opener().disabled).toBe(false);
  expect(said()).toContain("Not readyLunch");
});

test("the menu is worked by keys: arrows, Home, End, Escape, which hides no window", async () => {
  await show(ready);
  opener().click();
  const at = () => document.activeElement?.textContent;
  const press = (key: string) => page.press(key, {}, document.activeElement as Element);
  for (const [key, want] of [
    ["ArrowDown", "Lunch"],
    ["End", "Training"],
    ["ArrowDown", "Ready"],
    ["ArrowUp", "Training"],
    ["Home", "Ready"],
  ] as const) {
    press(key);
    expect(at()).toBe(want);
  }
  press("Escape");
  expect(items()).toEqual([]);
  expect(page.calls("hide")).toEqual([]);
  expect(document.activeElement).toBe(opener());
});

test("a press elsewhere closes the menu and chooses nothing", async () => {
  await show(ready);
  opener().click();
  item("Lunch")?.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
  expect(items().length).toBe(3);
  document.body.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
  expect(items()).toEqual([]);
  expect(page.calls("setPresence")).toEqual([]);
});

test("after a call the time that is left counts down, and Ready now ends it", async () => {
  await show(afterCall, [aCard(over)]);
  expect(said()).toBe("After call0:30");
  await page.wait(5000);
  expect(said()).toBe("After call0:25");
  page.button("Ready now")?.click();
  expect(page.calls("setPresence")).toEqual([["ready", ""]]);
  await page.send({ presence: ready });
  expect(page.button("Ready now")).toBeUndefined();
});

test("after-call work without an end, or beyond it, counts up", async () => {
  await show({ ...afterCall, until: "" });
  expect(said()).toBe("After call0:10");
  page.dispose();
  await show(afterCall);
  await page.wait(31_000);
  expect(said()).toBe("After call0:41");
});

test("the card that owes an outcome asks for it, first to choose and then to save", async () => {
  await show({ ...afterCall, owed: leg }, [aCard(over), aCard({ ...over, leg: "another" })]);
  page.all<HTMLButtonElement>(".last-card")[1]?.click();
  expect(page.root.querySelector(".owed")).toBeNull();
  page.all<HTMLButtonElement>(".strip-card")[0]?.click();
  expect(page.root.querySelector(".owed")?.textContent).toBe("Choose an outcome to be ready again");
  page.all<HTMLInputElement>(".outcomes input")[0]?.click();
  expect(page.root.querySelector(".owed")?.textContent).toBe("Save the outcome to be ready again");
  page.button("Save")?.click();
  await page.wait(0);
  expect(page.calls("save")).toEqual([[leg, "Order placed", ""]]);
  await page.send({ presence: ready });
  expect(page.root.querySelector(".owed")).toBeNull();
});

test("who would be ready while an outcome is owed is told why, in view of the card that owes it", async () => {
  await show({ ...afterCall, owed: leg }, [aCard(over)]);
  expect(page.text()).toContain("No call");
  page.state.answer = { ok: false, kind: "conflict", message: "choose the last call's outcome" };
  page.button("Ready now")?.click();
  await page.wait(0);
  expect(page.root.querySelector(".messages.apart")?.textContent).toBe("Choose an outcome to be ready again");
  expect(page.name()).toBe("陈丽华");
  expect(page.button("Ready now")?.disabled).toBe(false);
  await page.send({ presence: ready });
  expect(page.root.querySelector(".messages.apart")?.textContent).toBe("");
});

test("another refusal is told in the reader's words and can be put away", async () => {
  await show(ready, [], "zh-CN");
  page.state.answer = { ok: false, kind: "offline", message: "the phone is not connected" };
  opener().click();
  item("Lunch")?.click();
  await page.wait(0);
  expect(page.root.querySelector(".messages.apart")?.textContent).toContain("无法连接");
  page.button("关闭提示")?.click();
  expect(page.root.querySelector(".messages.apart")?.textContent).toBe("");
});
