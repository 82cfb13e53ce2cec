// Telephone numbers as the agent reads them (app/number): the extension finds numbers in pages and must agree with it. Both know the
// habits of exchanges from app/number/plans.json, and app/number/testdata holds both to the same tables. What is not here, masking and
// dialling, the agent does.
import { getCountryCallingCode, Metadata, parsePhoneNumberFromString } from "libphonenumber-js/max";
import known from "../../app/number/plans.json";

export type NumberClass = "person" | "service" | "withheld" | "own" | "internal" | "privacy" | "invalid";

/** How a site's numbers are read; app/number.Plan. Lists are as in the profile: 1001, 10xx, 1000-1999, +86170*. */
export interface Plan {
  region: string;
  area_code?: string;
  outside_prefix?: string;
  own?: string[];
  internal?: string[];
  queues?: string[];
  privacy?: string[];
}

/** A number in its forms; app/cti.Number. */
export interface PhoneNumber {
  number: string;
  e164: string;
  key: string;
  ext: string;
  class: NumberClass;
}

interface Habits {
  access?: string[];
  trunk?: string;
  carriers?: string[];
  mobiles?: string;
  service?: string[];
  local?: boolean;
  vanity?: boolean;
  extension?: boolean;
}

const regions: Record<string, Habits> = known.regions;
const withheld = new Set(known.withheld);

const FEWEST_OUTSIDE = 6;
const MOST_DIGITS = 24;
const FULL_LENGTH = 8;
/** Its numbers may begin with a 0. */
const ITALY = "+39";

const schemes = new Set(["sip", "sips", "tel", "callto"]);
const label = /^(\p{L}[\p{L}. ]{0,14}):(?:\/\/)?[ ]*/u;
const phoneContext = /;phone-context=(\+[\d.() -]+)/i;
const extParam = /;ext=([\d.() -]+)/i;
const extension =
  /^(.*[\d)])[ ,;(]*(?:extension|extn|ext|x|ramal|poste|durchwahl|app|int|转接|轉接|转|轉|分机号|分机|分機|内线|內線|内線|#|~)[ .:=#]*(\d{1,7})[)# ]*$/i;
const vanityNumber = /^(?:\+?1[ .-]*)?\(?[2-9]\d\d[ ).-]*[A-Z\d .-]*[A-Z]{3}[A-Z\d .-]*$/;
/** Digits of a North American number without its area code: behind so many, letters are a remark. */
const LOCAL_LENGTH = 7;
const keypad = "22233344455566677778889999";
const signs = /^[\d ()[\]./,;'+-]+$/;
const trunkInside = /^([^(]*\d[ .-]*)\([ ]*0[ ]*\)/;
const tail = /^(.*\d[)]?)[ ]*[-,;/][ ]*(\d{1,6})$/;
const featureCode = /^[*#][\d*#]{1,30}$/;

/** Keeps the ASCII digits of a text. */
export const digitsOf = (text: string): string => text.replace(/[^0-9]/g, "");

const zeros = ["٠", "۰", "०", "０"].map((zero) => zero.codePointAt(0) ?? 0);

// The code points of dashes, of full-width signs, and of what cannot be seen (Cf, and what is below the blank).
function plainSign(sign: string): string {
  const c = sign.codePointAt(0) ?? 0;
  for (const zero of zeros) if (c >= zero && c <= zero + 9) return String(c - zero);
  if (c >= 0xff01 && c <= 0xff5e) return String.fromCodePoint(c - 0xff01 + 0x21);
  if ((c >= 0x2010 && c <= 0x2015) || "−ー〜·".includes(sign)) return "-";
  if (/\p{White_Space}/u.test(sign)) return " ";
  if (c < 0x20 || /\p{Cf}/u.test(sign)) return "";
  return sign;
}

const ascii = (text: string): string => trimBlanks([...text].map(plainSign).join(""));
const trimBlanks = (text: string): string => text.replace(/^ +| +$/g, "");

function plain(raw: string): string {
  let text = ascii(raw);
  const from = text.lastIndexOf("<");
  if (from >= 0) text = trimBlanks(text.slice(from + 1).split(">")[0] ?? "");
  const found = label.exec(text);
  if (found) {
    text = text.slice(found[0].length);
    if (schemes.has((found[1] ?? "").toLowerCase())) return user(text);
  }
  text = text.replace(/^["' ]+|["' ]+$/g, "");
  return text.includes("@") ? user(text) : text;
}

function user(uri: string): string {
  const at = uri.indexOf("@");
  const params = at < 0 ? uri : uri.slice(0, at);
  if (
    at >= 0 &&
    uri
      .slice(at + 1)
      .toLowerCase()
      .startsWith("anonymous.invalid")
  )
    return "";
  let name = (params.split(/[;?:]/)[0] ?? "") as string;
  name = ascii(decoded(name));
  const context = phoneContext.exec(params);
  if (context && !name.startsWith("+")) name = trimBlanks(context[1] ?? "") + name.replace(/^0+/, "");
  const ext = extParam.exec(params);
  if (ext) name += `;ext=${digitsOf(ext[1] ?? "")}`;
  return trimBlanks(name);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not encoded: a bare %
  }
}

function isWithheld(text: string): boolean {
  const word = text.toLowerCase().replace(/[ \-_."'()[\]*]/g, "");
  return word.replace(/^0+|0+$/g, "") === "" || withheld.has(word);
}

const numeric = (text: string): boolean =>
  signs.test(text) && digitsOf(text.slice(0, Math.max(0, text.lastIndexOf("+")))) === "";
const compact = (text: string): string => (text.includes("+") ? "+" : "") + digitsOf(text);

interface Listed {
  from: string;
  to: string;
  prefix: boolean;
}

function listed(text: string, region: string): Listed {
  const entry = ascii(text);
  for (const sign of [" - ", "-", "…", ".."]) {
    const at = entry.indexOf(sign);
    const from = entry.slice(0, Math.max(0, at));
    const to = entry.slice(at + sign.length);
    if (at < 0 || digitsOf(from) === "" || digitsOf(from).length !== digitsOf(to).length) continue;
    if (to.includes("-") || from.startsWith("0")) continue;
    return { from: compared(from, region), to: compared(to, region), prefix: false };
  }
  const found = /^(\+?[\d ().]+?)(x*|\*)$/.exec(entry.replaceAll("-", ""));
  const open = found?.[2] ?? "";
  const digits = digitsOf(found?.[1] ?? "");
  if (open === "*") return { from: digits, to: "", prefix: true };
  if (open !== "")
    return { from: digits + "0".repeat(open.length), to: digits + "9".repeat(open.length), prefix: false };
  const whole = compared(entry, region);
  return { from: whole, to: whole, prefix: false };
}

function compared(text: string, region: string): string {
  const n = reader({ region })(text);
  return n.e164 === "" ? digitsOf(text) : n.e164.slice(1);
}

const has = (list: Listed[], digits: string): boolean =>
  list.some((e) =>
    e.prefix ? digits.startsWith(e.from) : digits.length === e.from.length && digits >= e.from && digits <= e.to,
  );

const whole = (patterns: string[]): RegExp => new RegExp(`^(?:${patterns.join("|")})$`);
const never = /^\b$/;
const serviceOf = (region: string): RegExp => {
  const patterns = regions[region]?.service ?? [];
  return patterns.length > 0 ? whole(patterns) : never;
};

type Parsed = { e164: string; national: string } | undefined;

function parsed(compactNumber: string, region: string, good: "isValid" | "isPossible"): Parsed {
  const n = parsePhoneNumberFromString(compactNumber, { defaultCountry: region as never, extract: false });
  return n?.[good]() ? { e164: n.number, national: n.nationalNumber } : undefined;
}

/** A 0 before a country's numbers is its trunk prefix, and no part of them as in Italy. */
function trunkZero(e164: string): boolean {
  const n = parsePhoneNumberFromString(e164);
  const country = n?.country ?? n?.getPossibleCountries()[0];
  if (!country) return false;
  const metadata = new Metadata();
  metadata.selectNumberingPlan(country);
  const plan = metadata.numberingPlan as unknown as { nationalPrefix(): string | undefined }; // not in its types
  return plan.nationalPrefix() === "0";
}

function callingCode(region: string): string {
  try {
    return getCountryCallingCode(region as never);
  } catch {
    return "0"; // a region nobody knows: no number begins so
  }
}

// Of the regions that share a calling code, the one whose habits are known.
const regionOf = (e164: string): string =>
  Object.keys(regions).find((r) => e164.startsWith(`+${callingCode(r)}`)) ?? "";

/** Makes the function that reads numbers as this site's phones present them; it never throws. */
export function reader(plan: Plan): (raw: string) => PhoneNumber {
  const habits = regions[plan.region] ?? {};
  const access = habits.access ?? ["00"];
  const trunk = habits.trunk ?? "0";
  const service = serviceOf(plan.region);
  const mobiles = habits.mobiles ? whole([habits.mobiles]) : never;
  const area = plan.area_code?.startsWith(trunk) ? plan.area_code.slice(trunk.length) : (plan.area_code ?? "");
  const lists = (entries: string[] | undefined) => (entries ?? []).map((e) => listed(e, plan.region));
  const [own, internal, queues, privacy] = [plan.own, plan.internal, plan.queues, plan.privacy].map(lists) as [
    Listed[],
    Listed[],
    Listed[],
    Listed[],
  ];

  const valid = (c: string) => parsed(c, plan.region, "isValid");
  const possible = (c: string): Parsed => {
    const n = parsed(c, plan.region, "isPossible");
    if (!n || (n.national.startsWith("0") && trunkZero(n.e164))) return undefined;
    return parsePhoneNumberFromString(n.e164)?.nationalNumber === n.national ? n : undefined; // no digits that look like a prefix
  };

  // Behind the plain access code first, then behind those of carriers.
  function international(c: string): string[] {
    if (c.startsWith("+")) return [`+${c.slice(1).replace(/^00/, "")}`];
    return access
      .filter((a) => c.startsWith(a) && /^[1-9]/.test(c.slice(a.length)))
      .map((a) => `+${c.slice(a.length)}`);
  }

  const anyOf = (numbers: string[]): Parsed => {
    for (const one of numbers) {
      const n = valid(one);
      if (n) return n;
    }
    return undefined;
  };

  function local(c: string): Parsed {
    return area === "" || c.length < FEWEST_OUTSIDE - 1 || c < "2" ? undefined : valid(area + c);
  }

  function national(c: string): Parsed {
    const near = habits.local ? local(c) : undefined;
    if (near) return near;
    for (const carrier of habits.carriers ?? []) {
      const n = c.startsWith(carrier) ? valid(c.slice(carrier.length)) : undefined;
      if (n) return n;
    }
    return valid(c) ?? likely(c);
  }

  function likely(c: string): Parsed {
    const dialled = c.startsWith(trunk);
    const significant = dialled ? c.slice(trunk.length) : c;
    return (!dialled && !mobiles.test(c)) || significant.startsWith("0") ? undefined : possible(c);
  }

  function strict(c: string): Parsed {
    const abroad = international(c);
    const [plain] = abroad;
    if (plain === undefined) return outside(c) ?? national(c) ?? outsideBare(c);
    if (c.startsWith("+")) return possible(plain);
    return outside(c) ?? anyOf(abroad) ?? national(c) ?? outsideBare(c) ?? possible(plain);
  }

  function behindOutside(c: string): string | undefined {
    const prefix = plan.outside_prefix ?? "";
    return prefix !== "" && c.startsWith(prefix) ? c.slice(prefix.length) : undefined;
  }

  function outside(c: string): Parsed {
    const rest = behindOutside(c);
    if (rest === undefined) return undefined;
    const abroad = international(rest);
    if (abroad.length > 0) return anyOf(abroad);
    return rest.startsWith(trunk) ? valid(rest) : undefined;
  }

  function outsideBare(c: string): Parsed {
    const rest = behindOutside(c);
    return rest === undefined ? undefined : valid(rest);
  }

  function loose(c: string): Parsed {
    if (c.startsWith("+")) return undefined;
    const double = c.startsWith("00") && !c.startsWith("000") ? valid(`+${c.slice(2)}`) : undefined;
    const bare = c.length >= 10 && !c.startsWith("0") ? valid(`+${c}`) : undefined;
    const near = double ?? bare ?? local(c);
    const rest = behindOutside(c);
    if (near || rest === undefined) return near;
    const [abroad] = international(rest);
    return abroad === undefined ? (likely(rest) ?? local(rest)) : possible(abroad);
  }

  function find(written: string, n: PhoneNumber): Parsed {
    const text = dropTrunkInside(written);
    const c = compact(text);
    const behind = n.ext === "" ? tail.exec(text) : null;
    const head = behind?.[1] ?? "";
    const cut = (read: (c: string) => Parsed): Parsed => {
      const found = digitsOf(head).length > FEWEST_OUTSIDE ? read(compact(head)) : undefined;
      if (found) n.ext = behind?.[2] ?? "";
      return found;
    };
    const first = habits.extension ? cut(valid) : undefined;
    return first ?? strict(c) ?? cut(strict) ?? loose(c) ?? cut(loose);
  }

  function home(text: string): string {
    const [abroad] = international(compact(text));
    if (abroad === undefined) return digitsOf(text);
    const code = `+${callingCode(plan.region)}`;
    return abroad.startsWith(code) ? abroad.slice(code.length) : "";
  }

  function vanity(text: string): string {
    if ((!habits.vanity && !text.startsWith("+1")) || !vanityNumber.test(text)) return text;
    if (digitsOf(text.slice(0, text.search(/[A-Z]/))).replace(/^1/, "").length >= LOCAL_LENGTH) return text;
    const letters = (c: string) => keypad[(c.codePointAt(0) ?? 0) - 65] ?? c;
    const digits = digitsOf(text.replace(/[A-Z]/g, letters)).replace(/^1/, "");
    return digits.length < 10 ? text : `+1${digits.slice(0, 10)}`;
  }

  return (raw) => {
    const n: PhoneNumber = { number: raw, e164: "", key: "", ext: "", class: "invalid" };
    let text = plain(raw);
    if (isWithheld(text)) return { ...n, class: "withheld" };
    const marked = extension.exec(text);
    if (marked && digitsOf(marked[1] ?? "").length >= FEWEST_OUTSIDE - 1) {
      n.ext = marked[2] ?? "";
      text = trimBlanks(marked[1] ?? "");
    }
    text = vanity(text);
    if (!numeric(text)) return featureCode.test(text) ? { ...n, class: "internal" } : n;
    const digits = digitsOf(text);
    if (digits === "" || digits.length > MOST_DIGITS) return n;
    n.key = digits;
    const plus = text.includes("+");
    if (!plus && has(internal, digits)) return { ...n, class: "internal" };
    const dialled = home(text);
    if (service.test(dialled)) {
      const full = valid(dialled);
      const given =
        full && full.national.length >= FULL_LENGTH ? { e164: full.e164, key: full.national } : { key: dialled };
      return { ...n, ...given, class: has(own, given.e164?.slice(1) ?? digits) ? "own" : "service" };
    }
    const found = find(text, n);
    if (found) {
      const kind = classOf(found);
      const short = kind === "service" && found.national.length < FULL_LENGTH;
      return { ...n, e164: short ? "" : found.e164, key: found.national, class: kind };
    }
    if (has(own, digits) || has(queues, digits)) return { ...n, class: "own" };
    if (digits.length < FEWEST_OUTSIDE && !plus) return { ...n, class: "internal" };
    return has(privacy, digits) ? { ...n, class: "privacy" } : n;
  };

  function classOf(found: { e164: string; national: string }): NumberClass {
    const digits = found.e164.slice(1);
    if (has(own, digits) || has(queues, digits)) return "own";
    if (has(privacy, digits)) return "privacy";
    return serviceOf(regionOf(found.e164)).test(found.national) ? "service" : "person";
  }
}

function dropTrunkInside(text: string): string {
  const found = trunkInside.exec(text);
  const c = compact(found?.[1] ?? "");
  const country = `+${c.replace(/^[+0]+/, "")}`;
  if (!found || (!c.startsWith("+") && !c.startsWith("00")) || country === ITALY) return text;
  return country + text.slice(found[0].length);
}
