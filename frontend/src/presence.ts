// The agent's own state as the header shows it: whether its menu is open, and what was asked to change it. The agent (the
// program) decides whether it may be changed; a refusal comes back and is shown below the header.
import { createEffect, createSignal, on } from "solid-js";
import type { Presence } from "../shared/wire";
import type { Api } from "./api";
import type { createRequests } from "./requests";

/** The key of the requests that are about the reader and not about a card. */
export const MYSELF = "presence";

type Requests = ReturnType<typeof createRequests>;

export function createPresence(
  api: Pick<Api, "setPresence">,
  requests: Requests,
  is: () => Presence,
  show: (leg: string) => void,
) {
  const [open, setOpen] = createSignal(false);
  createEffect(
    on(
      () => [is().state, is().reason, is().since, is().owed].join("\n"),
      () => {
        requests.release(MYSELF);
        requests.clear(MYSELF);
      },
      { defer: true },
    ),
  );

  function close(): boolean {
    const was = open();
    setOpen(false);
    return was;
  }

  /** Where an outcome is owed first, the card that owes it comes to the front. */
  async function set(state: "ready" | "not_ready", reason: string): Promise<void> {
    setOpen(false);
    const taken = await requests.run(MYSELF, state, () => api.setPresence(state, reason));
    if (!taken && is().owed && requests.refusal(MYSELF)?.kind === "conflict") show(is().owed);
  }

  return {
    is,
    open,
    toggle: () => setOpen(!open()),
    close,
    set,
    /** Nobody told a state and none can be set: then nothing of it is in the window. */
    shown: () => is().state !== "" || is().can,
    busy: () => requests.busy(MYSELF) !== "",
    refusal: () => requests.refusal(MYSELF),
    clear: () => requests.clear(MYSELF),
  };
}
