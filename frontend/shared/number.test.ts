import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Plan, reader } from "./number";

// The tables of the Go tests: the agent and the extension must read every spelling alike.
const folder = join(import.meta.dirname, "../../app/number/testdata");
const signs: Record<string, string> = { t: "\t", "\\": "\\" };
const spelledOut = (text: string) =>
  text.replace(/\\(?:u([0-9a-f]{4})|(.))/g, (_, code, sign) =>
    code ? String.fromCodePoint(Number.parseInt(code, 16)) : (signs[sign] ?? sign),
  );

describe.each(readdirSync(folder).filter((name) => name.endsWith(".tsv")))("%s", (name) => {
  const [head = "", , ...rows] = readFileSync(join(folder, name), "utf8").replace(/\n$/, "").split("\n");
  const read = reader(JSON.parse(head.slice(2)) as Plan);
  test("every spelling is read as the agent reads it", () => {
    expect(rows.length).toBeGreaterThanOrEqual(100);
    const wrong = rows.flatMap((row) => {
      const [spelled = "", e164, key, ext, kind] = row.split("\t");
      const n = read(spelledOut(spelled));
      const got = [n.e164, n.key, n.ext, n.class].join(" ");
      const want = [e164, key, ext, kind].join(" ");
      return got === want ? [] : [`${spelled}: ${got}, not ${want}`];
    });
    expect(wrong).toEqual([]);
  });
});
