import { afterEach, describe, expect, test, vi } from "vitest";
import type { Card } from "../../shared/wire";
import { aCard, aSnapshot, ok } from "../fake";
import { speech } from "../i18n";
import { mount } from "./mount";
import { recordText } from "./record";

let page: Awaited<ReturnType<typeof mount>>;
afterEach(() => {
  page?.dispose();
  vi.useRealTimers();
});

describe("the banner of the storage", () => {
  test.each([
    ["en", "disk_full", "The disk is full", "Free some space now"],
    ["zh-CN", "disk_full", "磁盘已满", "请立即腾出空间"],
    ["en", "read_only", "cannot be written to", "Copy each record"],
    ["en", "key_missing", "keychain", "Unlock your keychain"],
    ["en", "rebuilding", "being rebuilt", "No record is lost"],
    ["en", "journal_only", "cannot be written to", "No record is lost"],
    ["en", "failing", "gives errors", "Tell IT now"],
    ["en", "damaged", "could not be read", "nothing was deleted"],
    ["en", "newer", "A newer Ringside", "Update Ringside"],
    ["en", "on_fire", "Something is wrong with the local store", "do not close Ringside"],
  ])("in %s says of %s what is wrong and what to do", async (language, state, wrong, todo) => {
    page = await mount([], { language, storage: { state, detail: "/var/lib/x" } });
    const said = page.root.querySelector("[role=alert]")?.textContent;
    for (const part of [wrong, todo, "/var/lib/x"]) expect(said).toContain(part);
  });

  test.each([
    ["rebuilding", "is-wait"],
    ["disk_full", "is-bad"],
  ])("does not look alarming for no reason: %s", async (state, tone) => {
    page = await mount([], { storage: { state, detail: "" } });
    expect(page.all(`[role=alert].${tone}`)).toHaveLength(1);
  });

  test("comes and goes with the storage, over whatever is in view", async () => {
    page = await mount([aCard()]);
    expect(page.all("[role=alert]")).toEqual([]);
    await page.send({ storage: { state: "disk_full", detail: "" } });
    expect(page.all("[role=alert]")).toHaveLength(1);
    page.root.querySelector<HTMLButtonElement>(".outbox")?.click();
    expect(page.all(".panel, [role=alert]")).toHaveLength(2);
    await page.send({ storage: { state: "ok", detail: "" } });
    expect(page.all("[role=alert]")).toEqual([]);
  });
});

const over: Partial<Card> = {
  state: "cleared",
  ending: "answered",
  commands: [],
  established_at: "2026-11-23T05:32:22Z",
};

describe("a record the disk refused", () => {
  test.each([
    ["not_saved", "unsaved"],
    ["wrapup_not_saved", "delivered"],
    ["", "unsaved"],
    ["phone_refused", "unsaved"],
  ] as const)("with the notice %s and the state %s can be copied", async (notice, state) => {
    const write = { ...aCard().write, state };
    page = await mount([aCard({ ...over, notice, write })]);
    page.root.querySelector<HTMLButtonElement>(".last-card")?.click();
    page.button("Copy record")?.click();
    await page.wait(0);
    expect(page.calls("copy")).toHaveLength(1);
    expect(page.text()).toContain("Copied.");
  });

  test("is offered only then", async () => {
    page = await mount([aCard({ ...over, notice: "phone_refused" })]);
    page.root.querySelector<HTMLButtonElement>(".last-card")?.click();
    expect(page.text()).toContain("The phone refused the command.");
    expect(page.button("Copy record")).toBeUndefined();
  });

  test("is copied with what is being typed, and what is typed later is not called copied", async () => {
    page = await mount([aCard({ ...over, notice: "not_saved" })]);
    page.root.querySelector<HTMLButtonElement>(".last-card")?.click();
    page.type("twelve pallets");
    page.button("Copy record")?.click();
    await page.wait(0);
    expect(page.calls("copy")[0]?.[0]).toContain("Note: twelve pallets");
    page.type("twelve pallets, not ten");
    expect(page.text()).not.toContain("Copied.");
  });

  test("whose copy was refused says so", async () => {
    page = await mount([aCard({ ...over, notice: "not_saved" })]);
    page.root.querySelector<HTMLButtonElement>(".last-card")?.click();
    page.state.answer = { ...ok, ok: false, kind: "internal" };
    page.button("Copy record")?.click();
    await page.wait(0);
    expect(page.text()).toContain("Something went wrong in Ringside");
    expect(page.text()).not.toContain("Copied.");
  });
});

describe("the record as text", () => {
  const card = aCard({ ...over, cleared_at: "2026-11-23T05:35:26Z", talk_ms: 184000 });
  const wrap = { outcome: "Complaint", note: "twelve\npallets" };

  test("holds number, name, times, outcome and note, one a line", () => {
    const say = speech("en", "en-GB");
    expect(recordText(card, wrap, say).split("\n")).toEqual([
      "Number: +8613800138000",
      "Name: 陈丽华, 上海远景物流有限公司, c_000001",
      "Direction: Incoming",
      `Started: ${say.moment(card.started_at)}`,
      `Answered: ${say.moment(card.established_at)}`,
      `Ended: ${say.moment(card.cleared_at)}`,
      "Talk time: 3:04",
      "Call ended: Answered",
      "Outcome: Complaint",
      "Note: twelve",
      "pallets",
      `id: ${card.leg}`,
    ]);
    expect(say.moment(card.started_at)).toMatch(/2026.*\d\d:\d\d:18/);
  });

  test("leaves out what is not known and is in the reader's language", () => {
    const hidden = { number: "anonymous", e164: "", key: "", ext: "", class: "", withheld: true };
    const missed = { ...card, number: hidden, picked: "", phone_name: "", established_at: "", ending: "missed" };
    const text = recordText(missed, { outcome: "", note: "" }, speech("zh-CN", "zh-CN"));
    expect(text).toContain("号码: 号码已隐藏\n方向: 呼入\n");
    expect(text).not.toContain("anonymous");
    expect(text).not.toContain("备注");
  });
});

test("the fake agent's storage is well: no test sees a banner it did not ask for", () => {
  expect(aSnapshot().storage.state).toBe("ok");
});
