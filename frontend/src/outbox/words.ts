// What an item of the outbox says about itself in one line; pure, so that list and tests agree.
import type { OutboxItem } from "../../shared/wire";
import { spaced } from "../format";
import type { Speech } from "../i18n";
import type { IconName } from "../kit/Icon";

export function looksOf(it: OutboxItem): { icon: IconName; tone: string } {
  switch (it.state) {
    case "review":
      return { icon: "alert", tone: it.unclear ? "is-wait" : "is-bad" }; // a question is no error
    case "retrying":
    case "reconciling":
      return { icon: "clock", tone: "is-wait" };
    default:
      return { icon: "tray", tone: "is-over" };
  }
}

export function itemNumber(it: OutboxItem): string {
  if (it.number.withheld) return "";
  return it.number.e164 ? spaced(it.number.e164) : it.number.number;
}

export function itemName(it: OutboxItem, say: Speech): string {
  return it.name || itemNumber(it) || say.t("item.nobody");
}

/** What the call was: number, where the name stands above it, how it ended, what came of it. */
export function itemAbout(it: OutboxItem, say: Speech): string {
  const number = it.name ? itemNumber(it) : "";
  const what = it.op === "log_call" ? "" : say.coded("op", it.op);
  const value = it.value && `“${mine(it)}”`;
  return [what, value, number, it.ending && say.coded("ending", it.ending), it.outcome].filter(Boolean).join(" · ");
}

/** Where it stands and why: the CRM's own words where it gave some, else ours for the kind of trouble. */
export function itemWhy(it: OutboxItem, say: Speech, now: number): string {
  const cause = it.message || (it.kind && say.coded("kind", it.kind));
  if (it.unclear) return say.t("item.unclear");
  if (it.state === "review" && it.theirs)
    return say.t("change.both", { what: say.coded("change", it.op), mine: mine(it), theirs: it.theirs });
  if (it.state === "review") return cause || say.t("item.review");
  if (it.state === "retrying")
    return [say.t("item.retrying", { when: due(it, say, now) }), cause].filter(Boolean).join(" · ");
  if (it.state === "queued" || it.state === "sending" || it.state === "reconciling") return say.t(`item.${it.state}`);
  return it.state;
}

/** What the agent wants of a customer or ticket; tags come one in a line. */
function mine(it: OutboxItem): string {
  return it.value.split("\n").join(", ");
}

function due(it: OutboxItem, say: Speech, now: number): string {
  const ms = Date.parse(it.due || it.created_at) - now;
  if (ms <= 0) return say.t("item.when.now");
  return ms < 60_000 ? say.t("item.when.soon") : say.ahead(ms);
}

/** The attempts, newest first; those in a row that went alike are told once, with the newest time and how many there were. */
export function itemTries(it: OutboxItem, say: Speech): { at: string; words: string; n: number }[] {
  const told: { at: string; words: string; n: number }[] = [];
  for (const attempt of [...it.tries].reverse()) {
    const words = attempt.message || say.coded("kind", attempt.kind);
    const last = told.at(-1);
    if (last?.words === words) last.n += 1;
    else told.push({ at: attempt.at, words, n: 1 });
  }
  return told;
}
