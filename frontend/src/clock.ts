import { type Accessor, createEffect, createSignal, onCleanup } from "solid-js";

/** The time, once a second while a call is live and not at all otherwise: an idle window costs nothing. */
export function createClock(live: Accessor<boolean>): Accessor<number> {
  const [now, setNow] = createSignal(Date.now());
  createEffect(() => {
    setNow(Date.now());
    if (!live()) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    onCleanup(() => clearInterval(timer));
  });
  return now;
}
