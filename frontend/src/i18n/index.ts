// Picks the reader's language and says words, times and lengths of time in it.
import { en, type Key, type Words } from "./en";
import { zhCN } from "./zh-CN";

export type { Key } from "./en";

export interface Speech {
  language: "en" | "zh-CN";
  t(key: Key, values?: Record<string, string | number>): string;
  /** The words for a code of an open list, or the code itself where it is new to us. */
  coded(prefix: "change" | "ending" | "rule" | "reason" | "op" | "type" | "kind" | "notice", code: string): string;
  time(iso: string): string;
  date(iso: string): string;
  /** Today's moments by their time, others by date and time. */
  when(iso: string): string;
  /** A moment to the second, for a record that is written by hand. */
  moment(iso: string): string;
  age(ms: number): string;
  /** How far off, in the largest whole unit, at least a minute: in 5 minutes. */
  ahead(ms: number): string;
}

export function languageOf(wanted: string, navigator: string): "en" | "zh-CN" {
  return (wanted || navigator).toLowerCase().startsWith("zh") ? "zh-CN" : "en";
}

export function speech(wanted: string, navigator: string): Speech {
  const language = languageOf(wanted, navigator);
  const words: Words = language === "zh-CN" ? zhCN : en;
  // A British reader of English gets British dates: the system's locale wins where it is the same language.
  const locale = navigator.slice(0, 2) === language.slice(0, 2) ? navigator : language;
  const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
  const dayOfYear = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
  const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
  const off = new Intl.RelativeTimeFormat(language, { numeric: "always" });
  const age = ages(locale);
  const time = (iso: string) => clock.format(new Date(iso));
  const date = (iso: string) => {
    const at = new Date(iso);
    return (at.getFullYear() === new Date().getFullYear() ? day : dayOfYear).format(at);
  };
  const t = (key: Key, values: Record<string, string | number> = {}) =>
    words[key].replace(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole));
  return {
    language,
    t,
    coded: (prefix, code) => words[`${prefix}.${code}` as Key] ?? code,
    time,
    date,
    when: (iso) =>
      new Date(iso).toDateString() === new Date().toDateString() ? time(iso) : `${date(iso)} ${time(iso)}`,
    moment: (iso) => full.format(new Date(iso)),
    age: (ms) => age(ms),
    ahead: (ms) => {
      const minutes = Math.max(1, Math.ceil(ms / 60_000));
      if (minutes < 60) return off.format(minutes, "minute");
      return minutes < 1440
        ? off.format(Math.round(minutes / 60), "hour")
        : off.format(Math.round(minutes / 1440), "day");
    },
  };
}

// The formatters are made once: making one costs more than painting a whole card.
function ages(locale: string): (ms: number) => string {
  const steps = (["day", "hour", "minute"] as const).map((unit) => ({
    minutes: { day: 1440, hour: 60, minute: 1 }[unit],
    format: new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "narrow" }),
  }));
  return (ms) => {
    const minutes = Math.max(0, Math.floor(ms / 60_000));
    const step = steps.find((s) => minutes >= s.minutes) ?? steps[2];
    return step ? step.format.format(Math.floor(minutes / step.minutes)) : "";
  };
}
