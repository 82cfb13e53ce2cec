// A call as plain text, for the agent to paste elsewhere: all that a person needs to write the record into the CRM by hand.
import type { Card } from "../../shared/wire";
import { duration } from "../format";
import type { Speech } from "../i18n";
import { pickedMatch } from "./caller";

export function recordText(card: Card, wrap: { outcome: string; note: string }, say: Speech): string {
  const who = pickedMatch(card)?.customer;
  const moment = (iso: string) => iso && say.moment(iso);
  const number = card.number.withheld ? say.t("search.withheld") : card.number.e164 || card.number.number;
  const lines: [string, string][] = [
    [say.t("record.number"), number],
    [say.t("record.name"), [who?.name || card.phone_name, who?.company, who?.id].filter(Boolean).join(", ")],
    [say.t("record.direction"), say.t(`direction.${card.direction}`)],
    [say.t("record.started"), moment(card.started_at)],
    [say.t("record.answered"), moment(card.established_at)],
    [say.t("record.ended"), moment(card.cleared_at)],
    [say.t("record.talk"), card.established_at ? duration(card.talk_ms) : ""],
    [say.t("wrapup.ending"), card.ending && say.coded("ending", card.ending)],
    [say.t("wrapup.outcome"), wrap.outcome],
    [say.t("wrapup.note"), wrap.note],
    ["id", card.leg],
  ];
  return lines
    .filter(([, value]) => value)
    .map(([label, value]) => `${label}: ${value}`)
    .join("\n");
}
