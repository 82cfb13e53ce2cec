import { expect, test } from "vitest";
import { duration, spaced } from "./format";

test.each([
  [0, "0:00"],
  [65_400, "1:05"],
  [3_900_000, "1:05:00"],
  [-3000, "0:00"],
])("%d ms is %s", (ms, words) => expect(duration(ms)).toBe(words));

test.each([
  ["+8613800138000", "+86 138 0013 8000"],
  ["+12125550123", "+1 212 555 0123"],
  ["+442079460999", "+44 207 946 0999"],
  ["+353861234567", "+353 861 23 4567"],
  ["1001", "1001"],
])("%s is shown as %s and keeps its digits", (e164, shown) => {
  expect(spaced(e164)).toBe(shown);
  expect(shown.replaceAll(" ", "")).toBe(e164);
});
