import { afterEach, expect, test, vi } from "vitest";
import type { Card } from "../../shared/wire";
import { aCard, ok } from "../fake";
import { QUIET } from "../keys";
import { mount } from "./mount";

let page: Awaited<ReturnType<typeof mount>>;
const leg = aCard().leg;
const all = ["hangup", "hold", "mute", "dtmf", "transfer", "consult"];
const talking: Partial<Card> = { state: "connected", established_at: "2026-11-23T05:32:22Z", changes: [] };
const talks = (change: Partial<Card> = {}) => aCard({ ...talking, commands: all, ...change });
const held = (change: Partial<Card> = {}) =>
  talks({ state: "hold", held_since: "2026-11-23T05:32:25Z", commands: ["hangup", "resume", "transfer"], ...change });
const colleague = (change: Partial<NonNullable<Card["consult"]>> = {}) => ({
  leg: "aside",
  number: { number: "1003", e164: "", key: "1003", ext: "", class: "internal", withheld: false },
  name: "Depot",
  state: "connected" as const,
  since: "2026-11-23T05:32:18Z",
  ...change,
});
const show = async (card: Card, language = "en") => {
  page = await mount([card], { language });
  await page.wait(QUIET + 100);
};
const tiles = () => page.all(".tile").map((tile) => tile.textContent);
const alt = (letter: string) => page.press(letter.toLowerCase(), { altKey: true, code: `Key${letter}` });
const line = () => page.root.querySelector<HTMLInputElement>(".call-panel input") as HTMLInputElement;
const write = (to: string) => {
  line().value = to;
  line().dispatchEvent(new InputEvent("input", { bubbles: true }));
};
const pad = () => page.root.querySelector<HTMLElement>(".pad") as HTMLElement;

afterEach(() => {
  page.dispose();
  vi.useRealTimers();
});

test.each([
  ["all of them", all, {}, ["Hang up", "Hold", "Mute", "Transfer", "Keypad", "CRM"]],
  [
    "all of them while muted",
    [...all, "unmute"],
    { muted: true },
    ["Hang up", "Hold", "Unmute", "Transfer", "Keypad", "CRM"],
  ],
  ["no mute", ["hangup", "hold"], {}, ["Hang up", "Hold", "CRM"]],
  ["muted, and no way back", ["hangup", "hold"], { muted: true }, ["Hang up", "Hold", "CRM"]],
  ["only a transfer", ["transfer"], {}, ["Transfer", "CRM"]],
  ["only asking", ["consult"], {}, ["Ask", "CRM"]],
  ["only tones", ["dtmf"], {}, ["Keypad", "CRM"]],
  ["holds that the phone does not tell", ["hangup", "hold", "resume"], {}, ["Hang up", "Hold", "Resume", "CRM"]],
  ["on hold", ["hangup", "resume"], { state: "hold" }, ["Hang up", "Resume", "CRM"]],
  ["nobody to open", ["hangup", "hold"], { picked: "", matches: [] }, ["Hang up", "Hold"]],
] as const)("only what is offered is on the bar: %s", async (_, commands, change, want) => {
  await show(talks({ commands: [...commands], ...(change as Partial<Card>) }));
  expect(tiles()).toEqual(want);
});

test("a call that can only be ended keeps its buttons with words", async () => {
  await show(talks({ commands: ["hangup"] }));
  expect(tiles()).toEqual([]);
  expect(page.button("Hang up")).toBeDefined();
});

test("holds that the phone does not tell are said to be so, beside both buttons", async () => {
  await show(talks({ commands: ["hold", "resume"] }));
  const group = page.root.querySelector("fieldset.joined");
  expect(group?.getAttribute("aria-label")).toBe("This phone does not tell whether it holds the call");
  page.button("Resume")?.click();
  expect(page.calls("command")).toEqual([[leg, "resume", ""]]);
});

test.each([
  ["Hang up", "hangup", {}],
  ["Hold", "hold", {}],
  ["Resume", "resume", { state: "hold", commands: ["resume"] }],
  ["Mute", "mute", {}],
  ["Unmute", "unmute", { muted: true, commands: ["mute", "unmute"] }],
] as const)("%s asks for %s once, and everything rests until the call changed", async (words, command, change) => {
  await show(talks(change as Partial<Card>));
  page.button(words)?.click();
  page.button(words)?.click();
  expect(page.calls("command")).toEqual([[leg, command, ""]]);
  expect(page.all<HTMLButtonElement>(".tile:not([aria-expanded])").every((tile) => tile.disabled)).toBe(true);
  await page.send({ card: talks({ ...(change as Partial<Card>), hold_ms: 1 }) });
  expect(page.button(words)?.disabled).toBe(false);
});

test("the hot-keys of hold and mute are switches, and do nothing that is not offered", async () => {
  await show(talks());
  alt("P");
  await page.send({ card: held({ commands: ["resume"] }) });
  alt("P");
  alt("M");
  await page.send({ card: talks({ muted: true, commands: [...all, "unmute"] }) });
  alt("M");
  expect(page.calls("command").map((c) => c[1])).toEqual(["hold", "resume", "unmute"]);
});

test("a new card takes no hot-key of the bar for 700 ms", async () => {
  page = await mount([]);
  await page.send({ card: talks() });
  await page.wait(100);
  alt("P");
  alt("T");
  expect(page.calls("command")).toEqual([]);
  expect(page.all(".call-panel")).toEqual([]);
  await page.wait(QUIET);
  alt("P");
  expect(page.calls("command")).toEqual([[leg, "hold", ""]]);
});

test("a muted call says so in the line that is read from the corner of the eye, and aloud", async () => {
  await show(talks({ muted: true, commands: [...all, "unmute"] }));
  expect(page.root.querySelector(".state")?.textContent).toContain("Muted");
  expect(page.root.querySelector("[aria-live].sr-only")?.textContent).toBe("Talking Muted 陈丽华");
  await page.send({ card: talks() });
  expect(page.root.querySelector(".state")?.textContent).not.toContain("Muted");
});

test("a transfer goes to the number that was typed, at once or after asking", async () => {
  await show(talks());
  page.button("Transfer")?.click();
  expect(document.activeElement).toBe(line());
  expect(page.button("Transfer now")?.disabled).toBe(true);
  write(" 1003 ");
  page.button("Transfer now")?.click();
  await page.wait(0);
  expect(page.calls("command")).toEqual([[leg, "transfer", "1003"]]);
  expect(page.all(".call-panel")).toEqual([]);
  await page.wait(3000);
  page.button("Transfer")?.click();
  write("021-6555 0134");
  page.button("Ask first")?.click();
  expect(page.calls("command")[1]).toEqual([leg, "consult", "021-6555 0134"]);
});

test("Enter asks first where that is offered, for it can be taken back", async () => {
  const enter = () => line().dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  await show(talks());
  alt("T");
  enter(); // nothing was typed
  write("1003");
  enter();
  await page.wait(3000);
  await page.send({ card: talks({ commands: ["transfer"] }) });
  alt("T");
  expect(page.button("Ask first")).toBeUndefined();
  write("1004");
  enter();
  expect(page.calls("command")).toEqual([
    [leg, "consult", "1003"],
    [leg, "transfer", "1004"],
  ]);
});

test("a number that was refused stays, with the reason", async () => {
  await show(talks());
  page.state.answer = { ok: false, kind: "invalid", message: "no such extension" };
  alt("T");
  write("9");
  page.button("Transfer now")?.click();
  await page.wait(0);
  expect(page.text()).toContain("no such extension");
  expect(line().value).toBe("9");
  expect(page.button("Transfer now")?.disabled).toBe(false);
});

test("a panel opens in place of the other, closes by Escape or its button, and gives the focus back", async () => {
  await show(talks());
  alt("T");
  alt("K");
  expect(page.all(".call-panel").length).toBe(1);
  expect(document.activeElement).toBe(pad());
  page.press("Escape", {}, pad());
  expect(page.all(".call-panel")).toEqual([]);
  expect(document.activeElement?.textContent).toBe("Keypad");
  expect(page.calls("hide")).toEqual([]);
  alt("T");
  page.button("Close")?.click();
  expect(document.activeElement?.textContent).toBe("Transfer");
  page.press("Escape");
  expect(page.calls("hide").length).toBe(1);
});

test("a panel that closes while the agent types elsewhere leaves the cursor there", async () => {
  await show(talks());
  alt("K");
  page.note().focus();
  page.press("Escape", {}, page.note());
  expect(page.all(".call-panel")).toEqual([]);
  expect(document.activeElement).toBe(page.note());
});

test("what is not offered any more closes, and does not come back with the focus by itself", async () => {
  await show(talks());
  alt("K");
  await page.send({ card: held() });
  page.note().focus();
  await page.send({ card: talks() });
  expect(page.all(".call-panel")).toEqual([]);
  expect(document.activeElement).toBe(page.note());
});

test("a call that comes in does not take the place of a number that is being typed", async () => {
  await show(talks());
  alt("T");
  write("10");
  await page.send({ card: aCard({ leg: "second" }) });
  expect(line().value).toBe("10");
  expect(page.root.querySelector(".strip-card.is-ring")).not.toBeNull();
});

test("the keyboard's digits are tones while the keypad has the focus, and only then", async () => {
  await show(talks());
  page.press("1");
  alt("K");
  for (const key of ["2", "*", "#", "a", "A", "Shift"]) page.press(key, {}, pad());
  page.press("3", { ctrlKey: true }, pad());
  page.press("4", { repeat: true }, pad());
  await page.wait(0);
  page.note().focus();
  page.press("5", {}, page.note());
  page.press("6");
  await page.wait(0);
  expect(page.calls("command")).toEqual([
    [leg, "dtmf", "2"],
    [leg, "dtmf", "*"],
    [leg, "dtmf", "#"],
  ]);
  expect(page.root.querySelector(".pad-said")?.textContent).toBe("2*#");
});

test("every key of the keypad sends its own tone, and none waits for the call to change", async () => {
  await show(talks());
  page.button("Keypad")?.click();
  for (const key of page.all<HTMLButtonElement>(".pad-key")) key.click();
  await page.wait(0);
  expect(page.calls("command").map((c) => c[2])).toEqual([..."123*4560789#"]);
});

test("tones go out in their order, one after the other, and behind a refused one none", async () => {
  await show(talks());
  const asked: string[] = [];
  const answers: ((ok: boolean) => void)[] = [];
  page.api.command = (_leg, _command, to) => {
    asked.push(to);
    return new Promise((done) => {
      answers.push((good) => done(good ? ok : { ok: false, kind: "conflict", message: "no line" }));
    });
  };
  alt("K");
  for (const key of "123") page.press(key, {}, pad());
  expect(asked).toEqual(["1"]);
  answers[0]?.(true);
  await page.wait(0);
  expect(asked).toEqual(["1", "2"]);
  answers[1]?.(false);
  await page.wait(0);
  expect(asked).toEqual(["1", "2"]);
  expect(page.root.querySelector(".pad-said")?.textContent).toBe("1");
  expect(page.text()).toContain("no line");
  page.press("4", {}, pad());
  expect(asked).toEqual(["1", "2", "4"]);
});

test("a colleague who is asked stands above the customer, with name, number, state and time", async () => {
  await show(held({ consult: colleague({ state: "initiated" }) }));
  const bar = () => page.root.querySelector(".consult");
  await page.wait(200);
  expect(bar()?.textContent).toContain("Depot1003Calling0:13");
  expect(page.button("Complete transfer")).toBeUndefined();
  await page.send({ card: held({ commands: ["hangup", "resume", "complete"], consult: colleague() }) });
  expect(bar()?.textContent).toContain("Talking");
  page.button("Complete transfer")?.click();
  expect(page.calls("command")).toEqual([[leg, "complete", ""]]);
  expect(page.button("Back to the customer")?.disabled).toBe(true);
  expect(page.button("Hang up customer")).toBeDefined();
  await page.send({ card: held() });
  expect(bar()).toBeNull();
});

test("back to the customer lets the colleague go, and resumes once they are gone and the customer is still on hold", async () => {
  await show(held({ consult: colleague() }));
  page.button("Back to the customer")?.click();
  await page.wait(0);
  expect(page.calls("command")).toEqual([["aside", "hangup", ""]]);
  await page.send({ card: held({ consult: colleague(), hold_ms: 1 }) });
  expect(page.calls("command").length).toBe(1);
  await page.send({ card: held() });
  expect(page.calls("command")[1]).toEqual([leg, "resume", ""]);
  await page.send({ card: held({ hold_ms: 2 }) });
  expect(page.calls("command").length).toBe(2);
});

test("a phone that resumes by itself is not asked to, and one that did so meanwhile has not refused", async () => {
  await show(held({ consult: colleague() }));
  page.button("Back to the customer")?.click();
  await page.wait(0);
  await page.send({ card: talks() });
  expect(page.calls("command").length).toBe(1);
  await page.send({ card: held({ consult: colleague() }) });
  page.button("Back to the customer")?.click();
  await page.wait(0);
  let answer: (result: typeof ok) => void = () => undefined;
  page.api.command = () =>
    new Promise((done) => {
      answer = done;
    });
  await page.send({ card: held() });
  await page.send({ card: talks() });
  answer({ ok: false, kind: "conflict", message: "this call is not on hold" });
  await page.wait(0);
  expect(page.text()).not.toContain("this call is not on hold");
});

test("a colleague who cannot be let go is said, and a later end of theirs resumes nothing", async () => {
  await show(held({ consult: colleague() }));
  page.state.answer = { ok: false, kind: "offline", message: "the phone is not connected" };
  page.button("Back to the customer")?.click();
  await page.wait(0);
  expect(page.text()).toContain("the phone is not connected");
  await page.send({ card: held() });
  expect(page.calls("command").length).toBe(1);
});

test("a call that goes out is outgoing from its first moment, whichever end rings", async () => {
  await show(aCard({ direction: "out", state: "initiated", commands: ["hangup"], queue: undefined }));
  const state = () => page.root.querySelector(".state");
  expect(state()?.textContent).toContain("Dialling");
  expect(state()?.querySelector("[title=Outgoing]")).not.toBeNull();
  await page.send({ card: aCard({ direction: "out", state: "alerting", commands: ["hangup"] }) });
  expect(state()?.textContent).toContain("Dialling");
});

test("what came with the call is shown under readable names, whole and inert", async () => {
  const long = `<img src=x onerror="alert(1)"> ${"9f2c".repeat(20)}`;
  await show(
    talks({
      data: [
        ["order_id", "A-1007"],
        ["_", "x"],
        ["vip", long],
      ],
    }),
  );
  expect(page.all(".call-data dt").map((dt) => dt.textContent)).toEqual(["Order id", "_", "Vip"]);
  expect(page.all(".call-data dd").map((dd) => dd.textContent)).toEqual(["A-1007", "x", long]);
  expect(page.root.querySelector("img")).toBeNull();
});

test("of much that came with the call the first five are shown, and the rest on request", async () => {
  const data = [..."abcdefg"].map((name): [string, string] => [name, "1"]);
  await show(talks({ data }));
  expect(page.all(".call-data dt").length).toBe(5);
  page.button("2 more")?.click();
  expect(page.all(".call-data dt").length).toBe(7);
  expect(page.button("more")).toBeUndefined();
});

test("a recording that is known has a sign with words", async () => {
  await show(talks({ recording: "known" }), "zh-CN");
  expect(page.root.querySelector(".state-recording")?.textContent).toContain("有录音");
  await page.send({ card: talks() });
  expect(page.root.querySelector(".state-recording")).toBeNull();
});
