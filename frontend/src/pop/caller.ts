// What a card says about its caller in one line; pure, so that strip, card and tests agree.
import type { Card, Customer, Match } from "../../shared/wire";
import { duration, spaced } from "../format";
import type { Speech } from "../i18n";

/** Who it is, as far as it is certain: the single match or the agent's choice, never the first of several. */
export function pickedMatch(card: Card): Match | undefined {
  return card.matches.find((m) => m.customer.id === card.picked && card.picked !== "");
}

/** A customer made here, whom the CRM does not have yet: there is no page to open. */
export function onTheirWay(card: Card): boolean {
  return card.picked.startsWith("new:");
}

export function callerName(card: Card, say: Speech): string {
  const who: Customer | undefined = pickedMatch(card)?.customer;
  if (who) return who.name || who.company || who.id;
  if (card.search === "withheld" || card.number.withheld) return say.t("search.withheld");
  return numberOf(card) || say.t("search.unnamed");
}

export function numberOf(card: Pick<Card, "number">): string {
  if (card.number.withheld) return "";
  return card.number.e164 ? spaced(card.number.e164) : card.number.number;
}

/** A call that goes out is being dialled until somebody answers, whichever end rings. */
export function stateWord(card: Card, say: Speech): string {
  return say.t(card.direction === "out" && card.state === "alerting" ? "state.initiated" : `state.${card.state}`);
}

/** Never talked, inbound: what a person would call a missed call. */
export function lost(ending: string): boolean {
  return ["missed", "abandoned", "failed", "no_answer", "busy", "rejected"].includes(ending);
}

export function toneOf(card: Card): string {
  switch (card.state) {
    case "connected":
      return "is-talk";
    case "hold":
      return "is-hold";
    case "cleared":
      return lost(card.ending) ? "is-lost" : "is-over";
    default:
      return "is-ring";
  }
}

/** The length that matters in this state: of ringing, of talk without hold, of the present hold, of the finished call. */
export function timerOf(card: Card, now: number): string {
  switch (card.state) {
    case "connected":
      return duration(now - Date.parse(card.established_at || card.started_at) - card.hold_ms);
    case "hold":
      return duration(now - Date.parse(card.held_since || card.started_at));
    case "cleared":
      return duration(card.established_at ? card.talk_ms : card.ring_ms);
    default:
      return duration(now - Date.parse(card.started_at));
  }
}
