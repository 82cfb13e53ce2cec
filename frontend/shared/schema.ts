// Readers turn unknown JSON into typed values, or say where it is wrong. The types are inferred from them,
// so that a type and its guard cannot drift apart.

export class WireError extends Error {}

/** Where in a message we are, and which fields nobody asked for. */
export interface Place {
  path: string;
  unknown: string[];
}

export type Reader<T> = (value: unknown, at: Place) => T;
export type Read<R> = R extends Reader<infer T> ? T : never;

function wrong(at: Place, wanted: string, value: unknown): never {
  const got = value === null ? "null" : typeof value;
  throw new WireError(`${at.path || "message"}: ${wanted} expected, got ${got}`);
}

export const text: Reader<string> = (value, at) => (typeof value === "string" ? value : wrong(at, "text", value));
export const flag: Reader<boolean> = (value, at) =>
  typeof value === "boolean" ? value : wrong(at, "yes or no", value);
export const whole: Reader<number> = (value, at) =>
  Number.isInteger(value) ? Number(value) : wrong(at, "whole number", value);

/** A code from a closed list. Open lists (endings, kinds, notices) are plain text: an unknown one must not hide a call. */
export function code<const T extends string>(...known: T[]): Reader<T> {
  return (value, at) => known.find((k) => k === value) ?? wrong(at, `one of ${known.join(", ")}`, value);
}

/** A field that Go leaves out when it is empty. */
export function maybe<T>(reader: Reader<T>): Reader<T | undefined>;
export function maybe<T>(reader: Reader<T>, fallback: T & (string | number | boolean)): Reader<T>;
export function maybe<T>(reader: Reader<T>, fallback?: T): Reader<T | undefined> {
  return (value, at) => (value === undefined || value === null ? fallback : reader(value, at));
}

/** Go writes an empty list as null or leaves it out; the reader always gets a list of its own. */
export function list<T>(item: Reader<T>): Reader<T[]> {
  return (value, at) => {
    if (value === null) return [];
    if (!Array.isArray(value)) return wrong(at, "list", value);
    return value.map((v, i) => item(v, { path: `${at.path}[${i}]`, unknown: at.unknown }));
  };
}

export function maybeList<T>(item: Reader<T>): Reader<T[]> {
  const read = list(item);
  return (value, at) => read(value ?? null, at);
}

/** What Go writes as a map of texts; one that is empty is left out. In the order of its names, whatever the order on the way. */
export const maybeTexts: Reader<[name: string, value: string][]> = (value, at) => {
  if (value === undefined || value === null) return [];
  if (typeof value !== "object" || Array.isArray(value)) return wrong(at, "object", value);
  return Object.entries(value)
    .map(([name, one]): [string, string] => [name, text(one, { path: `${at.path}.${name}`, unknown: at.unknown })])
    .sort(([a], [b]) => a.localeCompare(b));
};

export type Fields = Record<string, Reader<unknown>>;
type Shape<F extends Fields> = { [K in keyof F]: Read<F[K]> };
export type ObjectReader<F extends Fields> = Reader<Shape<F>> & { fields: F };

export function object<F extends Fields>(fields: F): ObjectReader<F> {
  const read = (value: unknown, at: Place): Shape<F> => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong(at, "object", value);
    const prefix = at.path ? `${at.path}.` : "";
    const given = value as Record<string, unknown>;
    for (const key of Object.keys(given)) {
      if (!(key in fields)) at.unknown.push(prefix + key);
    }
    const pairs = Object.entries(fields).map(([key, reader]) => [
      key,
      reader(given[key], { path: prefix + key, unknown: at.unknown }),
    ]);
    return Object.fromEntries(pairs) as Shape<F>;
  };
  return Object.assign(read, { fields });
}
