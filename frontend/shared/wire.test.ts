import { describe, expect, test } from "vitest";
import type { ObjectReader } from "./schema";
import * as wire from "./wire";

const examples = import.meta.glob<unknown>("../../bridge/wire/testdata/*.json", { eager: true, import: "default" });
const goFiles = import.meta.glob<string>(
  ["../../bridge/wire/wire.go", "../../bridge/wire/outbox.go", "../../app/cti/*.go"],
  {
    eager: true,
    query: "?raw",
    import: "default",
  },
);
const named = (part: string) => structuredClone(Object.entries(examples).find(([path]) => path.includes(part))?.[1]);
const snapshot = () => named("/snapshot.json") as Record<string, unknown>;

describe("the examples of bridge/wire", () => {
  const messages = Object.entries(examples).filter(([path]) => !path.endsWith("/outbox.json"));
  test.each(messages)("%s is read and holds no field we do not know", (path, example) => {
    const unknown: string[] = [];
    const read = path.includes("/snapshot") ? wire.readSnapshot : wire.readDelta;
    expect(read(example, unknown).v).toBe(1);
    expect(unknown).toEqual([]);
  });

  test("there are examples at all", () => expect(Object.keys(examples).length).toBeGreaterThanOrEqual(5));

  test("the outbox's items are read and hold no field we do not know", () => {
    const unknown: string[] = [];
    const items = named("/outbox.json") as object[];
    const read = wire.readListed({ ok: true, items }, unknown).items;
    expect(read.map((it) => it.state)).toEqual(["retrying", "review", "reconciling", "discarded"]);
    expect([read[0]?.tries.length, read[1]?.tries, read[1]?.unclear, read[3]?.reason]).toEqual([
      2,
      [],
      true,
      "a test call",
    ]);
    expect(unknown).toEqual([]);
  });

  test("a state of the storage that is new to us is no reason to show nothing", () => {
    const storage = { state: "on_fire", detail: "/x" };
    expect(wire.readSnapshot({ ...snapshot(), storage }).storage).toEqual(storage);
  });

  test("a field nobody knows is reported by its path", () => {
    const unknown: string[] = [];
    const cards = [{ ...(snapshot().cards as object[])[0], shoe_size: 43 }];
    wire.readSnapshot({ ...snapshot(), cards }, unknown);
    expect(unknown).toEqual(["cards[0].shoe_size"]);
  });

  test("a missing field is refused by its path", () => {
    const { outbox: _, ...rest } = snapshot();
    expect(() => wire.readSnapshot(rest)).toThrow("outbox: object expected, got undefined");
  });

  test("null lists become empty lists of their own", () => {
    const [, missed, withheld] = wire.readSnapshot(snapshot()).cards;
    expect([missed?.history, missed?.tickets, missed?.commands, withheld?.matches]).toEqual([[], [], [], []]);
    expect(missed?.history).not.toBe(missed?.tickets);
  });

  test("a newer version is refused with a clear error before anything else is read", () => {
    expect(() => wire.readSnapshot({ v: 2 })).toThrow(wire.VersionError);
    expect(() => wire.readDelta({ v: 2 })).toThrow("message version 2 is newer than 1");
  });

  test("a wrong type is refused", () => {
    expect(() => wire.readDelta({ v: 1, seq: "42" })).toThrow("seq: whole number expected, got string");
  });
});

describe("the Go structs behind them", () => {
  const go = Object.values(goFiles).join("\n");
  const structs: Record<string, ObjectReader<never>> = {
    Snapshot: wire.snapshot,
    Delta: wire.delta,
    Card: wire.card,
    Link: wire.link,
    Outbox: wire.outbox,
    Storage: wire.storage,
    OutboxItem: wire.outboxItem,
    OutboxTry: wire.outboxTry,
    Change: wire.change,
    Consult: wire.consult,
    Presence: wire.presence,
    Write: wire.write,
    Number: wire.number,
    Queue: wire.queue,
    Customer: wire.customer,
    Match: wire.match,
    Ticket: wire.ticket,
    Contact: wire.contact,
    WrapUp: wire.wrapUp,
    Agent: wire.agent,
  } as unknown as Record<string, ObjectReader<never>>;

  test.each(Object.entries(structs))(
    "%s has the same fields as its guard, left out in the same cases",
    (name, reader) => {
      const body = new RegExp(`^type ${name} struct \\{\\n([\\s\\S]*?)\\n\\}`, "m").exec(go)?.[1] ?? "";
      const tags = [...body.matchAll(/`json:"(\w+)(,\w+)?"/g)];
      expect(Object.keys(reader.fields).sort()).toEqual(tags.map((t) => t[1]).sort());
      for (const [, field = "", omitted] of tags) {
        const read = () =>
          (reader.fields as Record<string, (v: unknown, at: object) => unknown>)[field]?.(undefined, {
            path: "",
            unknown: [],
          });
        if (omitted) expect(read, `${name}.${field} may be left out`).not.toThrow();
        else expect(read, `${name}.${field} is always there`).toThrow();
      }
    },
  );
});
