import { createRoot } from "solid-js";
import { expect, test, vi } from "vitest";
import { VersionError } from "../shared/wire";
import { aCard, aDelta, aSnapshot, fakeApi } from "./fake";
import { createBoard } from "./state";

async function started(cards = [aCard({ leg: "a" })]) {
  const fake = fakeApi(aSnapshot({ cards }));
  const applied = vi.fn();
  const { board, start } = createRoot(() => createBoard(fake.api, applied));
  start();
  await vi.waitFor(() => expect(board.phase).toBe("ready"));
  const legs = () => board.data.cards.map((c) => c.leg);
  return { ...fake, board, applied, legs };
}

test("deltas in order change what they name and nothing else", async () => {
  const { state, board } = await started();
  state.send(aDelta(11, { outbox: { waiting: 2, review: 1, oldest_at: "" } }));
  state.send(aDelta(12, { crm: { name: "x", state: "down", since: "" } }));
  expect(board.data.outbox.waiting).toBe(2);
  expect(board.data.crm.state).toBe("down");
  expect(board.data.phone.state).toBe("up");
  state.send(aDelta(13, { storage: { state: "disk_full", detail: "/var" } }));
  expect(board.data.storage).toEqual({ state: "disk_full", detail: "/var" });
  expect(board.data.seq).toBe(13);
});

test("a new card comes first, a known one is replaced in its place, a dropped one goes", async () => {
  const { state, board, legs } = await started();
  state.send(aDelta(11, { card: aCard({ leg: "b" }) }));
  expect(legs()).toEqual(["b", "a"]);
  state.send(aDelta(12, { card: aCard({ leg: "a", state: "connected", matches: [] }) }));
  expect(legs()).toEqual(["b", "a"]);
  expect(board.data.cards[1]).toMatchObject({ state: "connected", matches: [] });
  state.send(aDelta(13, { drop: "b" }));
  expect(legs()).toEqual(["a"]);
});

test("a delta that is already in the snapshot is ignored", async () => {
  const { state, board, calls } = await started();
  state.send(aDelta(10, { drop: "a" }));
  expect(board.data.cards).toHaveLength(1);
  expect(calls("snapshot")).toHaveLength(1);
});

test("a gap fetches the snapshot again, and the delta after the gap is not lost", async () => {
  const { state, legs, calls } = await started();
  state.snapshot = aSnapshot({ seq: 11, cards: [aCard({ leg: "missed" })] });
  state.send(aDelta(12, { card: aCard({ leg: "late" }) }));
  expect(legs()).toEqual(["a"]);
  await vi.waitFor(() => expect(legs()).toEqual(["late", "missed"]));
  expect(calls("snapshot")).toHaveLength(2);
});

test("deltas that overtake the first snapshot wait for it, in whatever order they came", async () => {
  const { api, state } = fakeApi(aSnapshot());
  const { board, start } = createRoot(() => createBoard(api, () => undefined));
  start();
  state.send(aDelta(12, { drop: "b" }));
  state.send(aDelta(11, { card: aCard({ leg: "b" }) }));
  await vi.waitFor(() => expect(board.data.seq).toBe(12));
  expect(board.data.cards).toEqual([]);
});

test("an agent that does not answer is asked again after a second", async () => {
  vi.useFakeTimers();
  const { api } = fakeApi(aSnapshot());
  const good = api.snapshot;
  api.snapshot = () => Promise.reject(new Error("gone"));
  const { board, start } = createRoot(() => createBoard(api, () => undefined));
  start();
  await vi.advanceTimersByTimeAsync(10);
  expect(board.phase).toBe("unreachable");
  api.snapshot = good;
  await vi.advanceTimersByTimeAsync(1000);
  expect(board.phase).toBe("ready");
  vi.useRealTimers();
});

test("a newer agent is not asked again: the window says that it is outdated", async () => {
  const { api } = fakeApi(aSnapshot());
  api.snapshot = () => Promise.reject(new VersionError("v2"));
  const { board, start } = createRoot(() => createBoard(api, () => undefined));
  start();
  await vi.waitFor(() => expect(board.phase).toBe("outdated"));
});

test("each applied change is reported once with its leg", async () => {
  const { state, applied } = await started();
  state.send(aDelta(11, { card: aCard({ leg: "b" }) }));
  state.send(aDelta(12, { outbox: { waiting: 1, review: 0, oldest_at: "" } }));
  expect(applied.mock.calls).toEqual([
    [10, ""],
    [11, "b"],
    [12, ""],
  ]);
});
