import { afterEach, expect, test } from "vitest";
import type { Card, Option } from "../../shared/wire";
import { aCard, aSnapshot } from "../fake";
import { mount } from "./mount";

let page: Awaited<ReturnType<typeof mount>>;
const leg = aCard().leg;
const talking = { state: "connected", changes: [] } as const;
const choices: Option[] = [
  { id: "active", name: "Active" },
  { id: "pending", name: "Pending" },
];
const show = async (change: Partial<Card> = {}, options = choices, can = aSnapshot().crm_can) => {
  page = await mount([aCard({ ...talking, changes: [], ...change })], { language: "en", crm_can: can }, options);
  await page.wait(0);
};
afterEach(() => page.dispose());

const choose = (select: HTMLSelectElement | undefined, value: string) => {
  if (!select) throw new Error("there is no list");
  select.value = value;
  select.dispatchEvent(new Event("change", { bubbles: true }));
};

test("the status is chosen among those that the CRM has, and one it does not know stays visible", async () => {
  await show();
  const [customer, ticket] = page.all<HTMLSelectElement>("select.status");
  expect([...(customer?.options ?? [])].map((o) => o.textContent)).toEqual(["Active", "Pending"]);
  expect(customer?.value).toBe("active");
  choose(customer, "pending");
  expect(page.calls("setStatus")).toEqual([[leg, "pending"]]);
  await page.wait(3000);
  expect([...(ticket?.options ?? [])].map((o) => o.textContent)).toEqual(["open", "Active", "Pending"]);
  choose(ticket, "pending");
  expect(page.calls("setTicketStatus")).toEqual([[leg, "t_7", "pending"]]);
  expect(page.calls("options").length).toBe(2); // one question for each kind, however often it is shown
});

test("what the connector cannot change, or the CRM has no choices of, is only shown", async () => {
  await show({}, choices, ["search"]);
  expect(page.all("select.status")).toEqual([]);
  expect(page.button("Change tags")).toBeUndefined();
  page.dispose();
  await show({}, []);
  expect(page.all("select.status")).toEqual([]);
  expect(page.all(".company .tag").map((tag) => tag.textContent)).toEqual(["active", "VIP", "物流"]);
});

test("what the site reads besides stands below the name", async () => {
  const [match] = aCard().matches;
  if (!match) throw new Error("there is no example");
  const data: [string, string][] = [
    ["Contract", "Gold"],
    ["是否VIP", "<b>是</b>"],
  ];
  await show({ matches: [{ ...match, customer: { ...match.customer, data } }] });
  expect(page.all(".data div").map((line) => line.textContent)).toEqual(["ContractGold", "是否VIP<b>是</b>"]);
});

test("tags are taken off and put on where they stand", async () => {
  await show();
  page.button("Change tags")?.click();
  page.button("Remove tag VIP")?.click();
  expect(page.calls("changeTags")).toEqual([[leg, "", "VIP"]]);
  await page.wait(3000);
  const line = page.all<HTMLInputElement>(".tag-line")[0];
  if (!line) throw new Error("there is no line");
  const press = (key: string, isComposing = false) =>
    line.dispatchEvent(new KeyboardEvent("keydown", { key, isComposing, bubbles: true }));
  line.value = " call back ";
  line.dispatchEvent(new InputEvent("input", { bubbles: true }));
  press("Enter", true); // a Chinese word is being composed
  expect(page.calls("changeTags").length).toBe(1);
  press("Enter");
  expect(page.calls("changeTags")[1]).toEqual([leg, "call back", ""]);
  press("Enter"); // nothing more to add
  expect(page.all(".tag-line")).toEqual([]);
});

test("where both changed the same both values are shown, and the agent decides", async () => {
  const both = { item: 7, op: "update_contact", ticket: "", value: "follow_up", theirs: "inactive", message: "" };
  await show({ changes: [{ ...both, state: "review", kind: "conflict" }] });
  const message = page.all(".message")[0];
  expect(message?.textContent).toContain("Status: you set “follow_up”, meanwhile it is “inactive” in the CRM");
  page.button("Use mine")?.click();
  expect(page.calls("retry")).toEqual([[7]]);
  await page.wait(3000);
  page.button("Keep the CRM’s")?.click();
  expect(page.calls("discard")).toEqual([[7, "the CRM’s value was kept"]]);
});

test("what the CRM refused says why, and what is on its way says nothing", async () => {
  const one = { op: "add_tags", ticket: "", value: "a\nb", theirs: "", kind: "denied" };
  await show({
    changes: [
      { ...one, item: 8, state: "review", message: "only leads may" },
      { ...one, item: 9, state: "queued", message: "" },
    ],
  });
  expect(page.all(".message").length).toBe(1);
  expect(page.all(".message")[0]?.textContent).toContain("New tag “a, b”: the CRM did not take it");
  expect(page.all(".message")[0]?.textContent).toContain("only leads may");
});
