// What of a card's commands stands on one place of its bar; pure, so that buttons, keys and tests agree.
import type { Card } from "../shared/wire";

/** What holds and resumes: one of them where the phone tells which, both where it tells nothing of holds. */
export function holdOf(card: Card): ("hold" | "resume")[] {
  return (["hold", "resume"] as const).filter((name) => card.commands.includes(name));
}

/** A phone that can mute offers it of a muted call too: it is said of what the agent would change. */
export function muteOf(card: Card): string {
  const name = card.muted ? "unmute" : "mute";
  return card.commands.includes(name) ? name : "";
}

export function panelsOf(card: Card): ("transfer" | "keypad")[] {
  const can = (name: string) => card.commands.includes(name);
  return [
    ...(can("transfer") || can("consult") ? (["transfer"] as const) : []),
    ...(can("dtmf") ? (["keypad"] as const) : []),
  ];
}
