import { expect, test } from "vitest";
import { aCard } from "./fake";
import { chooseShown, liveSign } from "./shown";

const ringing = aCard({ leg: "ringing" });
const talking = aCard({ leg: "talking", state: "connected", established_at: "2026-01-01T00:00:00Z" });
const ended = aCard({ leg: "ended", state: "cleared" });
const nothing = { current: "", typing: "", pinned: "", hidden: false };

test("the newest live call comes to the front", () => {
  expect(chooseShown([ringing, talking, ended], { ...nothing, current: "talking" })).toBe("ringing");
});

test("a call that asks for no window does not take the place of one that does", () => {
  expect(chooseShown([{ ...ringing, pop: false }, talking], nothing)).toBe("talking");
});

test("a card on which somebody types stays, even after its call ended", () => {
  expect(chooseShown([ringing, ended], { ...nothing, typing: "ended" })).toBe("ended");
});

test("a clicked card stays until it is gone", () => {
  expect(chooseShown([ringing, ended], { ...nothing, pinned: "ended" })).toBe("ended");
  expect(chooseShown([ringing], { ...nothing, pinned: "ended" })).toBe("ringing");
});

test("a finished call stays in view; with none in hand the window is idle", () => {
  expect(chooseShown([ended], { ...nothing, current: "ended" })).toBe("ended");
  expect(chooseShown([ended], nothing)).toBe("");
});

test("the sign changes when a call begins or is answered, not when one is looked up", () => {
  expect(liveSign([ringing])).not.toBe(liveSign([]));
  expect(liveSign([{ ...ringing, established_at: "2026-01-01T00:00:00Z" }])).not.toBe(liveSign([ringing]));
  expect(liveSign([{ ...ringing, search: "none" }])).toBe(liveSign([ringing]));
});

test("a finished card makes room once the window is hidden, unless somebody types on it", () => {
  const hidden = { ...nothing, hidden: true, current: "ended" };
  expect(chooseShown([ended], hidden)).toBe("");
  expect(chooseShown([ended], { ...hidden, typing: "ended" })).toBe("ended");
  expect(chooseShown([ringing, ended], hidden)).toBe("ringing");
});
