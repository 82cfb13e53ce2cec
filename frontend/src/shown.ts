// Which card is shown. A card on which somebody types stays; else the newest live call comes to the front; a finished
// call stays until it is closed or the window hidden. "" means none: the idle page.
import type { Card } from "../shared/wire";

export interface Wish {
  current: string; // the leg shown now
  typing: string; // the leg whose note is being typed
  pinned: string; // the leg the agent clicked
  hidden: boolean; // nobody looks: the finished card makes room now rather than while the next call rings
}

export function live(card: Pick<Card, "state">): boolean {
  return card.state !== "cleared";
}

export function chooseShown(cards: readonly Card[], wish: Wish): string {
  const known = (leg: string) => (cards.some((c) => c.leg === leg) ? leg : "");
  const asking = cards.find((c) => live(c) && c.pop) ?? cards.find(live);
  return known(wish.typing) || known(wish.pinned) || asking?.leg || (wish.hidden ? "" : known(wish.current));
}

/** Changes whenever a call begins or is answered: the moments at which a click on another card no longer holds. */
export function liveSign(cards: readonly Card[]): string {
  const calls = cards.filter((c) => live(c) && c.pop);
  return calls.map((c) => `${c.leg} ${c.established_at ? "answered" : "new"}`).join();
}
