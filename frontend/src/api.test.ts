import { expect, test, vi } from "vitest";
import { connect } from "./api";
import { aDelta, aSnapshot, ok } from "./fake";

test("each command goes to the method of that name with its arguments", async () => {
  const Page = { SaveWrapUp: vi.fn(async () => ({ ok: true })), Painted: vi.fn(async () => null) };
  const api = connect({ go: { window: { Page } } });
  expect(await api.saveWrapUp("leg", "Sale", "note")).toEqual(ok);
  api.painted(7, "leg");
  expect(Page.SaveWrapUp).toHaveBeenCalledWith("leg", "Sale", "note");
  expect(Page.Painted).toHaveBeenCalledWith(7, "leg");
});

test("a command that throws or is not bound becomes an internal refusal", async () => {
  const refused = { ok: false, kind: "internal", message: "" };
  const Page = { Dial: () => Promise.reject(new Error("boom")) };
  expect(await connect({ go: { window: { Page } } }).callBack("1")).toEqual(refused);
  expect(await connect({}).callBack("1")).toEqual(refused);
});

test("a plain browser gets an error from snapshot and no crash", async () => {
  const api = connect({});
  await expect(api.snapshot()).rejects.toThrow("Page.Snapshot is not bound");
  api.hide();
  expect(api.onDelta(vi.fn(), vi.fn())()).toBeUndefined();
});

test("deltas are read before they are handed on, unreadable ones are told apart", () => {
  let send: (payload: unknown) => void = () => undefined;
  const stop = vi.fn();
  const EventsOn = (_: string, take: (payload: unknown) => void) => {
    send = take;
    return stop;
  };
  const [take, unreadable] = [vi.fn(), vi.fn()];
  connect({ runtime: { EventsOn } }).onDelta(take, unreadable)();
  send({ v: 1, seq: 3, drop: "a" });
  send({ v: 1 });
  expect(take).toHaveBeenCalledExactlyOnceWith(aDelta(3, { drop: "a" }));
  expect(unreadable).toHaveBeenCalledOnce();
  expect(stop).toHaveBeenCalledOnce();
});

test("a snapshot is read by its guard", async () => {
  const Page = { Snapshot: async () => aSnapshot() };
  expect((await connect({ go: { window: { Page } } }).snapshot()).seq).toBe(10);
});

test("the outbox is read by its guard, and one that cannot be read is an internal refusal without items", async () => {
  const Outbox = vi.fn(async (): Promise<unknown> => ({ ok: true, items: null }));
  const api = connect({ go: { window: { Page: { Outbox } } } });
  expect(await api.outbox("review", 200, 7)).toEqual({ ...ok, items: [] });
  expect(Outbox).toHaveBeenCalledWith("review", 200, 7);
  Outbox.mockResolvedValue({ ok: true, items: [{ seq: "one" }] });
  expect(await api.outbox("review", 200, 0)).toEqual({ ok: false, kind: "internal", message: "", items: [] });
});

test("what concerns one item names it by its number", async () => {
  const called: unknown[] = [];
  const Page = Object.fromEntries(
    ["Retry", "RetryAll", "Edit", "Attach", "Discard", "CopyOutbox", "SaveOutbox", "Copy"].map((name) => [
      name,
      async (...args: (string | number | boolean)[]) => {
        called.push([name, ...args]);
        return { ok: true };
      },
    ]),
  );
  const api = connect({ go: { window: { Page } } });
  await Promise.all([
    api.retry(1),
    api.retryAll(),
    api.edit(2, "Sale", "n"),
    api.attach(3, "c_1"),
    api.discard(4, "test"),
  ]);
  await Promise.all([api.copyOutbox(), api.saveOutbox("Save"), api.copy("text")]);
  expect(called).toEqual([
    ["Retry", 1],
    ["RetryAll"],
    ["Edit", 2, "Sale", "n"],
    ["Attach", 3, "c_1"],
    ["Discard", 4, "test"],
    ["CopyOutbox"],
    ["SaveOutbox", "Save"],
    ["Copy", "text"],
  ]);
});
