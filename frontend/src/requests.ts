// Requests on their way: what is busy, and what was refused, per card.
import { createStore } from "solid-js/store";
import type { Result } from "../shared/wire";

/** A command that the phone accepted shows as an event; if none comes, the buttons are given back after this. */
export const GIVE_BACK = 3000;

export interface Refusal {
  kind: string;
  message: string;
}

interface Asked {
  busy: string; // what was asked, "" if nothing
  refusal?: Refusal;
}

export function createRequests() {
  const [asked, set] = createStore<Record<string, Asked | undefined>>({});
  const timers = new Map<string, ReturnType<typeof setTimeout>>();

  /** Runs one request per card at a time. Its buttons come back with the card's next change, a refusal or after 3 s. Tells whether it was taken. */
  async function run(leg: string, what: string, ask: () => Promise<Result>): Promise<boolean> {
    if (asked[leg]?.busy) return false;
    set(leg, { busy: what, refusal: undefined });
    timers.set(
      leg,
      setTimeout(() => release(leg), GIVE_BACK),
    );
    const result = await ask();
    if (!result.ok) {
      release(leg);
      answered(leg, result);
    }
    return result.ok;
  }

  function release(leg: string): void {
    clearTimeout(timers.get(leg));
    if (asked[leg]?.busy) set(leg, "busy", "");
  }

  function answered(leg: string, result: Result): void {
    const refusal = result.ok ? undefined : { kind: result.kind || "internal", message: result.message };
    set(leg, { busy: asked[leg]?.busy ?? "", refusal });
  }

  return {
    run,
    release,
    answered,
    busy: (leg: string) => asked[leg]?.busy ?? "",
    refusal: (leg: string) => asked[leg]?.refusal,
    clear: (leg: string) => set(leg, (a) => ({ busy: a?.busy ?? "", refusal: undefined })),
  };
}
