// How numbers and lengths of time are spelled; no words in here.

/** 65000 -> 1:05, 3900000 -> 1:05:00. Never negative: clocks of phone and computer may differ. */
export function duration(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

// Country codes of one and two digits (ITU-T E.164); all others have three.
const SHORT = /^(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;

/** +8613800138000 -> +86 138 0013 8000. Only spaces are added: what is shown can be copied and dialled. */
export function spaced(e164: string): string {
  const digits = /^\+(\d{5,})$/.exec(e164)?.[1];
  if (!digits) return e164;
  const country = SHORT.exec(digits)?.[1] ?? digits.slice(0, 3);
  return `+${country} ${groups(country, digits.slice(country.length)).join(" ")}`;
}

function groups(country: string, rest: string): string[] {
  if (country === "86" && /^1[3-9]\d{9}$/.test(rest)) return [rest.slice(0, 3), rest.slice(3, 7), rest.slice(7)];
  if (country === "1" && rest.length === 10) return [rest.slice(0, 3), rest.slice(3, 6), rest.slice(6)];
  if (rest.length <= 4) return [rest];
  return [rest.slice(0, -4).replace(/(\d{3})(?=\d)/g, "$1 "), rest.slice(-4)];
}
