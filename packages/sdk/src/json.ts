/** JSON of strangers in the one form of RFC 8785. */
import { InputError } from "./errors.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export const MAX_DEPTH = 64;
const MAX_VALUES = 1 << 18;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Return the RFC 8785 text of a value.
 *
 * @param exact refuse whole numbers that other readers would round: beyond 2^53 - 1 and written without exponent.
 */
export function canonicalText(value: Json, exact = true): string {
  switch (typeof value) {
    case "boolean":
      return String(value);
    case "string":
      return quoted(value);
    case "number": {
      const isRounded = Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e21;
      if (!Number.isFinite(value) || (exact && isRounded)) {
        throw new InputError(`expected a finite number within ±(2^53 - 1) where it is whole, got ${value}`);
      }
      return JSON.stringify(value);
    }
  }
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${value.map((item) => canonicalText(item, exact)).join(",")}]`;
  // the default order is that of UTF-16 units, as RFC 8785 has it
  const fields = Object.keys(value).sort();
  return `{${fields.map((key) => `${quoted(key)}:${canonicalText(value[key]!, exact)}`).join(",")}}`;
}

/** Return the RFC 8785 bytes of a value. */
export const canonical = (value: Json, exact = true): Uint8Array =>
  new TextEncoder().encode(canonicalText(value, exact));

function quoted(text: string): string {
  if (!text.isWellFormed()) throw new InputError("expected Unicode text, got a lone surrogate");
  return JSON.stringify(text);
}

/** How deep lists and objects are nested, and how many fields objects have; strings are skipped. Asked before parsing. */
function outline(text: string): { deepest: number; fields: number } {
  let [depth, deepest, fields] = [0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) {
      for (i++; i < text.length && text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++;
    } else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x5d || code === 0x7d) depth--;
    else if (code === 0x3a) fields++;
  }
  return { deepest, fields };
}

/** How deep lists and objects are nested in JSON. */
export const depthOf = (text: string): number => outline(text).deepest;

/** Read JSON in UTF-8 and return its value, its text and the one form that RFC 8785 has for the value. */
export function readJson(data: Uint8Array, what: string, depth: number, exact: boolean): { value: Json; text: string; form: string } {
  let text: string;
  let value: Json;
  try {
    text = decoder.decode(data);
  } catch {
    throw new InputError(`${what}: expected UTF-8, got other bytes`);
  }
  const { deepest, fields } = outline(text);
  if (deepest > depth) throw new InputError(`${what}: expected JSON that is nested at most ${depth} deep`);
  try {
    value = JSON.parse(text) as Json;
  } catch {
    throw new InputError(`${what}: expected JSON, got something else`);
  }
  const form = canonicalText(value, exact);
  // of twins the parser keeps one
  if (outline(form).fields !== fields) throw new InputError(`${what}: expected each key once in an object`);
  return { value, text, form };
}

/** Count the values in a value, and refuse more than a manifest may have. */
export function checkSize(value: Json, what: string): void {
  const waiting: Json[] = [value];
  for (let count = 1; waiting.length; count++) {
    if (count > MAX_VALUES) throw new InputError(`${what}: expected at most ${MAX_VALUES} values in all`);
    const item = waiting.pop()!;
    // one by one: a list of a stranger can have more values than a call can have arguments
    if (typeof item === "object" && item !== null) for (const inner of Object.values(item) as Json[]) waiting.push(inner);
  }
}
