// Keys that a person meant for another window must not answer a call. A card that just appeared takes no keys for a
// while, and the hot-keys work only in the window that has the focus.

/** How long a new card ignores activation: longer than a keystroke that was already on its way. */
export const QUIET = 700;

/** hold and mute are switches: held it is resumed, muted it is heard again. transfer and keypad open and close what they are named after. */
export type HotKey = "answer" | "reject" | "hangup" | "open" | "hide" | "hold" | "mute" | "transfer" | "keypad";

const hotKeys: Record<string, HotKey> = {
  KeyA: "answer",
  KeyR: "reject",
  KeyH: "hangup",
  KeyO: "open",
  KeyP: "hold",
  KeyM: "mute",
  KeyT: "transfer",
  KeyK: "keypad",
};

/** The physical key counts, not the letter: Alt+A types å on a Mac. */
export function hotKeyOf(event: KeyboardEvent): HotKey | undefined {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.shiftKey || event.repeat) return undefined;
  if (event.altKey) return hotKeys[event.code];
  return event.key === "Escape" ? "hide" : undefined;
}

/** Tells whether a key would activate something rather than write text or move about. */
function activates(event: KeyboardEvent): boolean {
  const writing =
    event.target instanceof HTMLTextAreaElement || (event.target instanceof HTMLInputElement && isLine(event));
  if (writing && !event.altKey && !event.ctrlKey && !event.metaKey) return event.key === "Escape";
  return event.key === "Enter" || event.key === " " || hotKeyOf(event) !== undefined;
}

/** In a line of text a key writes, but Enter, which sends it off. */
function isLine(event: KeyboardEvent): boolean {
  return (event.target as HTMLInputElement).type === "text" && event.key !== "Enter";
}

export function createKeys(pressed: (key: HotKey) => void, host: Window = window) {
  let quietUntil = 0;

  function onKey(event: KeyboardEvent): void {
    if (activates(event) && performance.now() < quietUntil) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    const key = event.type === "keydown" && host.document.hasFocus() ? hotKeyOf(event) : undefined;
    if (!key) return;
    event.preventDefault();
    pressed(key);
  }

  /** keyup too: a browser clicks a button when Space is let go. */
  function start(): () => void {
    for (const type of ["keydown", "keyup"] as const) host.addEventListener(type, onKey, true);
    return () => {
      for (const type of ["keydown", "keyup"] as const) host.removeEventListener(type, onKey, true);
    };
  }

  return {
    start,
    /** A new card is in the document: no keys until it was painted and looked at. */
    hush: () => {
      quietUntil = Number.POSITIVE_INFINITY;
    },
    painted: () => {
      quietUntil = performance.now() + QUIET;
    },
  };
}
