import { afterEach, describe, expect, test, vi } from "vitest";
import type { Card, Match } from "../../shared/wire";
import { aCard } from "../fake";
import { mount } from "./mount";

let page: Awaited<ReturnType<typeof mount>>;
const show = async (change: Partial<Card>, language = "en") => {
  page = await mount([aCard(change)], { language });
  return page;
};
afterEach(() => {
  page.dispose();
  vi.useRealTimers();
});

const unknown = { matches: [], picked: "", history: [], tickets: [], phone_name: "" };
const hart = (id: string, name: string): Match => {
  const [match] = aCard().matches;
  if (!match) throw new Error("the example has no match");
  return { ...match, grade: "perhaps", rule: "tail", digits: 8, customer: { ...match.customer, id, name } };
};
const two = [hart("c_3", "A. Hart"), hart("c_4", "B. Hart")];

describe.each([
  {
    language: "en",
    why: "whole number equal · 13 digits · local copy, 1h old",
    several: "2 people share this number",
    none: "Nobody has this number",
    withheld: "Number withheld",
    failed: "could not be looked up",
    offline: "Could not be reached",
    looking: "Looking for this number",
    own: "One of our own numbers",
    internal: "A colleague",
    privacy: "A number lent for a while",
    unreadable: "Not a telephone number",
  },
  {
    language: "zh-CN",
    why: "完整号码一致 · 比对 13 位 · 本地副本，1小时前",
    several: "2 位客户共用此号码",
    none: "没有客户使用此号码",
    withheld: "号码已隐藏",
    failed: "无法查找客户",
    offline: "无法连接",
    looking: "正在查找此号码",
    own: "本公司号码",
    internal: "同事",
    privacy: "临时隐私号",
    unreadable: "不是电话号码",
  },
])("in $language", (words) => {
  test("a found customer shows name, company, number in both forms and why we think so", async () => {
    await show({ started_at: "2026-11-23T05:32:18.118Z" }, words.language);
    expect(page.name()).toBe("陈丽华");
    for (const part of [
      "上海远景物流有限公司",
      "VIP",
      "+86 138 0013 8000",
      "13800138000",
      words.why,
      "Pallet damaged",
    ]) {
      expect(page.text()).toContain(part);
    }
    expect(document.documentElement.lang).toBe(words.language);
  });

  test("several show the list and nobody's name as the caller's", async () => {
    await show({ ...unknown, search: "several", matches: two }, words.language);
    expect(page.text()).toContain(words.several);
    expect(page.name()).toBe("+86 138 0013 8000");
    expect(page.all(".candidate")).toHaveLength(2);
  });

  test.each([
    ["none", words.none],
    ["looking", words.looking],
    ["own", words.own],
    ["internal", words.internal],
    ["privacy", words.privacy],
    ["unreadable", words.unreadable],
  ] as const)("%s says so", async (search, said) => {
    await show({ ...unknown, search }, words.language);
    expect(page.text()).toContain(said);
  });

  test("withheld has a name of its own and no number", async () => {
    const number = { number: "anonymous", e164: "", key: "", ext: "", class: "", withheld: true };
    await show({ ...unknown, search: "withheld", number }, words.language);
    expect(page.name()).toBe(words.withheld);
    expect(page.text()).not.toContain("anonymous");
  });

  test("a failed look-up says what kind of failure", async () => {
    await show({ ...unknown, search: "failed", search_error: "offline" }, words.language);
    expect(page.text()).toContain(words.failed);
    expect(page.text()).toContain(words.offline);
  });
});

test("choosing one of several asks for exactly that one", async () => {
  await show({ ...unknown, search: "several", matches: two });
  page.all<HTMLButtonElement>(".candidate button")[1]?.click();
  expect(page.calls("pick")).toEqual([["5f0e8c1e-0000-5000-8000-000000000001", "c_4"]]);
});

test("what else speaks for the customer is told, and the agent can say that it is wrong", async () => {
  const [match] = aCard().matches;
  if (!match) throw new Error("the example has no match");
  await show({ matches: [{ ...match, why: ["picked_before", "owner"] }] });
  expect(page.text()).toContain("you chose them before · your customer");
  page.button("Not them")?.click();
  expect(page.calls("wrong")).toEqual([["5f0e8c1e-0000-5000-8000-000000000001"]]);
});

test("a single match that nobody confirmed is asked about, not taken", async () => {
  await show({ ...unknown, search: "found", matches: [hart("c_3", "A. Hart")] });
  expect(page.name()).not.toBe("A. Hart");
  expect(page.text()).toContain("Is it this customer?");
});

test("only the commands that are offered have a button", async () => {
  await show({ commands: ["hangup"], state: "connected" });
  expect(page.button("Hang up")).toBeDefined();
  expect([page.button("Answer"), page.button("Reject")]).toEqual([undefined, undefined]);
});

test("a second click on a command does nothing until the card changes or 3 s have gone", async () => {
  await show({});
  await page.wait(800);
  page.button("Answer")?.click();
  page.button("Answer")?.click();
  page.press("a", { altKey: true, code: "KeyA" });
  expect(page.button("Reject")?.disabled).toBe(true);
  expect(page.calls("command")).toHaveLength(1);
  await page.wait(3000);
  expect(page.button("Answer")?.disabled).toBe(false);
  page.button("Answer")?.click();
  await page.send({ card: aCard({ ring_ms: 1 }) });
  expect(page.button("Answer")?.disabled).toBe(false);
});

test("a refusal is told in the reader's language with the server's own words beside it, and gives the buttons back", async () => {
  await show({}, "zh-CN");
  page.state.answer = { ok: false, kind: "denied", message: "line 2 is locked" };
  page.button("接听")?.click();
  await page.wait(0);
  expect(page.text()).toContain("您没有权限执行此操作");
  expect(page.text()).toContain("line 2 is locked");
  expect(page.button("接听")?.disabled).toBe(false);
});

test("what a caller can write is text and nothing else", async () => {
  const evil = '<img src=x onerror="alert(1)">';
  const match = hart("c_3", evil);
  match.customer.company = evil;
  match.customer.tags = [evil];
  const ticket = { id: "t", subject: evil, status: evil, priority: evil, updated_at: "", version: "" };
  const past = {
    at: "2026-11-21T05:32:18Z",
    direction: "in" as const,
    ending: evil,
    outcome: evil,
    note: evil,
    agent: evil,
  };
  await show({ matches: [match], picked: "c_3", tickets: [ticket], history: [{ ...past, talk_ms: 0 }], notice: evil });
  expect(page.name()).toBe(evil);
  expect(page.all("img")).toEqual([]);
  for (const bdi of page.all("h1 bdi, .ticket .strong")) expect(bdi.getAttribute("title")).toBe(evil);
});

test("the state and the name are spoken from one region that outlives the cards", async () => {
  await show({});
  const spoken = page.root.querySelector("[aria-live].sr-only");
  expect(spoken?.textContent).toBe("Ringing 陈丽华");
  await page.send({
    card: aCard({
      leg: "b",
      search: "withheld",
      number: { number: "", e164: "", key: "", ext: "", class: "", withheld: true },
      picked: "",
    }),
  });
  expect(page.root.querySelector("[aria-live].sr-only")).toBe(spoken);
  expect(spoken?.textContent).toBe("Ringing Number withheld");
});

test("the timer follows the state of the call", async () => {
  await show({ started_at: "2026-11-23T05:32:20Z" });
  const timer = () => page.root.querySelector(".state time")?.textContent;
  expect(timer()).toBe("0:10");
  await page.wait(2000);
  expect(timer()).toBe("0:12");
  const since = { started_at: "2026-11-23T05:30:00Z", established_at: "2026-11-23T05:31:00Z" };
  await page.send({ card: aCard({ ...since, state: "connected", hold_ms: 2000 }) });
  expect(timer()).toBe("1:30");
  await page.send({ card: aCard({ ...since, state: "hold", held_since: "2026-11-23T05:32:02Z" }) });
  expect(timer()).toBe("0:30");
  await page.send({ card: aCard({ ...since, state: "cleared", ending: "answered", talk_ms: 65000 }) });
  await page.wait(5000);
  expect(timer()).toBe("1:05");
});

test("without a call nothing ticks", async () => {
  await show({ state: "cleared", ending: "missed" });
  await page.wait(100);
  expect(vi.getTimerCount()).toBe(0);
});

test("links and the outbox are named where something is wrong", async () => {
  page = await mount([], {
    phone: { name: "baresip", state: "down", since: "" },
    outbox: { waiting: 3, review: 1, oldest_at: "" },
  });
  expect(page.root.querySelector(".link.is-bad")?.textContent).toContain("offline");
  expect(page.root.querySelector(".outbox")?.textContent).toContain("1 to check");
  expect(page.text()).toContain("No call");
});

test("CounterPath's notice stands where Bria is a phone, and nowhere else", async () => {
  const notice = "This product uses the CounterPath API but is not endorsed or certified by CounterPath.";
  for (const [name, shown] of [
    ["bria", true],
    ["sim + bria", true],
    ["baresip", false],
  ] as const) {
    page?.dispose();
    page = await mount([], { phone: { name, state: "up", since: "" } });
    expect(page.text().includes(notice)).toBe(shown);
  }
});
