import { afterEach, expect, test } from "vitest";
import type { Card } from "../../shared/wire";
import { aCard } from "../fake";
import { mount } from "./mount";

let page: Awaited<ReturnType<typeof mount>>;
const leg = aCard().leg;
const stranger = {
  matches: [],
  picked: "",
  history: [],
  tickets: [],
  phone_name: "Zhao",
  search: "none",
  state: "connected",
} as const;
const show = async (change: Partial<Card> = {}) => {
  page = await mount([aCard({ ...stranger, matches: [], history: [], tickets: [], ...change })], { language: "en" });
};
afterEach(() => page.dispose());

const type = (index: number, text: string) => {
  const input = page.all<HTMLInputElement>(".stranger input")[index];
  if (!input) throw new Error(`there is no field ${index}`);
  input.value = text;
  input.dispatchEvent(new InputEvent("input", { bubbles: true }));
};

test("a stranger is made a customer with what the agent types, the phone's name first", async () => {
  await show();
  page.button("New customer")?.click();
  expect(page.all<HTMLInputElement>(".stranger input")[0]?.value).toBe("Zhao");
  type(0, " Zhao Min ");
  type(2, "min@example.com");
  page.button("Create")?.click();
  expect(page.calls("create")).toEqual([[leg, "", "Zhao Min", "", "min@example.com"]]);
});

test("a name the phone made of the number is none", async () => {
  await show({ phone_name: "13900139999" });
  page.button("New customer")?.click();
  expect(page.all<HTMLInputElement>(".stranger input")[0]?.value).toBe("");
  expect(page.button("Create")?.disabled).toBe(true);
});

test("a customer found by other words is chosen, with the number or without", async () => {
  await show();
  page.state.customers = aCard().matches.map((m) => m.customer);
  page.button("Search customers")?.click();
  type(0, "chen");
  page.all<HTMLButtonElement>(".stranger .button.main")[0]?.click();
  await page.wait(0);
  expect(page.calls("search")).toEqual([["chen"]]);
  const [choose, withNumber] = page.all<HTMLButtonElement>(".stranger .candidate button");
  withNumber?.click();
  expect(page.calls("attachCall")).toEqual([[leg, "c_000001", true]]);
  await page.wait(3000);
  choose?.click();
  expect(page.calls("attachCall")[1]).toEqual([leg, "c_000001", false]);
});

test("nobody found is said, and a failure is not mistaken for it", async () => {
  await show();
  page.button("Search customers")?.click();
  type(0, "nobody");
  page.all<HTMLButtonElement>(".stranger .button.main")[0]?.click();
  await page.wait(0);
  expect(page.text()).toContain("Nobody found");
  page.state.answer = { ok: false, kind: "offline", message: "" };
  page.all<HTMLButtonElement>(".stranger .button.main")[0]?.click();
  await page.wait(0);
  expect(page.text()).not.toContain("Nobody found");
  expect(page.text()).toContain("Could not be reached");
});

test("a withheld number cannot be added, and whoever is known is no stranger", async () => {
  await show({
    search: "withheld",
    number: { number: "", e164: "", key: "", ext: "", class: "withheld", withheld: true },
  });
  page.state.customers = aCard().matches.map((m) => m.customer);
  page.button("Search customers")?.click();
  type(0, "chen");
  page.all<HTMLButtonElement>(".stranger .button.main")[0]?.click();
  await page.wait(0);
  expect(page.all(".stranger .candidate button")).toHaveLength(1);
  page.dispose();
  page = await mount([aCard({ state: "connected" })], { language: "en" });
  expect(page.button("New customer")).toBeUndefined();
});

test("a customer whom the CRM does not have yet has no page there", async () => {
  const [match] = aCard().matches;
  if (!match) throw new Error("the example has no match");
  const customer = { ...match.customer, id: "new:leg:key" };
  page = await mount(
    [aCard({ picked: customer.id, matches: [{ ...match, customer, rule: "agent", from: "agent" }] })],
    { language: "en" },
  );
  expect(page.text()).toContain("said by you · not in the CRM yet");
  expect(page.button("Open in CRM")).toBeUndefined();
});

test("where the site names types, the agent says what the new customer is", async () => {
  page = await mount([aCard({ ...stranger, matches: [], history: [], tickets: [] })], {
    language: "en",
    customer_types: ["contact", "lead"],
  });
  page.button("New customer")?.click();
  const [, lead] = page.all<HTMLInputElement>(".kinds input");
  lead?.click();
  page.button("Create")?.click();
  expect(page.text()).toContain("Lead");
  expect(page.calls("create")).toEqual([[leg, "lead", "Zhao", "", ""]]);
});
