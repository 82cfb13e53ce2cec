import { expect, test } from "vitest";
import { en, type Key } from "./en";
import { languageOf, speech } from "./index";
import { zhCN } from "./zh-CN";

const keys = Object.keys(en) as Key[];
const holes = (s: string) => [...s.matchAll(/\{\w+\}/g)].map(String).sort();

test("both languages have the same keys, and no word is empty", () => {
  expect(Object.keys(zhCN).sort()).toEqual([...keys].sort());
  for (const key of keys) expect(en[key] && zhCN[key], key).toBeTruthy();
});

test("no string is the same in both languages but those that are names", () => {
  expect(keys.filter((key) => en[key] === zhCN[key])).toEqual(["link.crm"]);
});

test("both languages fill in the same values", () => {
  for (const key of keys) expect(holes(zhCN[key]), key).toEqual(holes(en[key]));
});

test("the profile's language wins, else the system's, else English", () => {
  expect(languageOf("zh-CN", "en-US")).toBe("zh-CN");
  expect(languageOf("", "zh-TW")).toBe("zh-CN");
  expect(languageOf("", "fr")).toBe("en");
});

test("a code we have no words for is shown as it is", () => {
  expect(speech("en", "en").coded("ending", "teleported")).toBe("teleported");
  expect(speech("zh-CN", "en").coded("ending", "missed")).toBe("未接");
});

test("ages are told in the largest whole unit", () => {
  const { age } = speech("en", "en-GB");
  expect([age(-5), age(59 * 60_000), age(3_700_000), age(3 * 86_400_000)]).toEqual(["0m", "59m", "1h", "3d"]);
});

test("what is ahead is told in whole minutes, then hours, then days, and never as none", () => {
  const { ahead } = speech("en", "en-GB");
  expect([ahead(-5), ahead(61_000), ahead(90 * 60_000), ahead(50 * 3_600_000)]).toEqual([
    "in 1 minute",
    "in 2 minutes",
    "in 2 hours",
    "in 2 days",
  ]);
  expect(speech("zh-CN", "en").ahead(300_000)).toBe("5分钟后");
});

test("a moment of another day is told with its date", () => {
  const { when, time } = speech("en", "en-GB");
  const now = new Date().toISOString();
  expect(when(now)).toBe(time(now));
  expect(when("2020-03-02T09:30:00Z")).toContain("2020");
});
