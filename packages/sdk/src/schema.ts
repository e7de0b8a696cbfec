/** Rules for plain JSON values. A rule throws an `InputError` that names the field, or returns. */
import { InputError } from "./errors.ts";
import { isObject } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";

export type Rule = (value: Json, place: string) => void;
/** A rule for a whole object, after its fields were checked. It returns what it expected if that isn't so. */
export type Also = (value: JsonObject) => string | undefined;

/** A field that is not of its form. */
export class FieldError extends InputError {
  override name = "FieldError";
  readonly place: string;
  readonly expected: string;

  constructor(place: string, expected: string) {
    super(`${place || "value"}: expected ${expected}`);
    this.place = place;
    this.expected = expected;
  }
}

export function refuse(place: string, expected: string, value: Json | undefined): never {
  const kind = value === undefined ? "nothing" : value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
  throw new FieldError(place, `${expected}, got ${kind}`);
}

/** A text that a pattern or a test accepts whole. */
export const text =
  (test: RegExp | ((text: string) => boolean), expected: string): Rule =>
  (value, place) => {
    const fits = typeof value === "string" && (test instanceof RegExp ? test.test(value) : test(value));
    if (!fits) refuse(place, expected, value);
  };

export const oneOf = (...values: string[]): Rule => text((value) => values.includes(value), `one of ${values.join(", ")}`);

export const integer =
  (least: number, most = Number.MAX_SAFE_INTEGER): Rule =>
  (value, place) => {
    const fits = typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most;
    if (!fits) refuse(place, `a whole number from ${least} to ${most}`, value);
  };

export const number: Rule = (value, place) => {
  if (typeof value !== "number" || value < 0) refuse(place, "a number that is not negative", value);
};

export const boolean: Rule = (value, place) => {
  if (typeof value !== "boolean") refuse(place, "true or false", value);
};

export const anything: Rule = () => undefined;

export const list =
  (rule: Rule, least = 0, most = Infinity): Rule =>
  (value, place) => {
    if (!Array.isArray(value)) refuse(place, "a list", value);
    if (value.length < least || value.length > most) refuse(place, `a list of ${least} to ${most} values`, value);
    value.forEach((item, index) => rule(item, `${place}[${index}]`));
  };

/** An object whose names are not fixed. */
export const named =
  (name: Rule, rule: Rule): Rule =>
  (value, place) => {
    if (!isObject(value)) refuse(place, "an object", value);
    for (const [key, item] of Object.entries(value)) {
      name(key, place);
      rule(item, `${place}.${key.slice(0, 64)}`);
    }
  };

/** A value of a rule, or null. */
export const orNull =
  (rule: Rule): Rule =>
  (value, place) => {
    if (value !== null) rule(value, place);
  };

const OPTIONAL = new WeakSet<Rule>();

/** A field that may be left out, and is never null. */
export function maybe(rule: Rule): Rule {
  const made: Rule = (value, place) => rule(value, place);
  OPTIONAL.add(made);
  return made;
}

/** An object with these fields and no others. */
export const object =
  (fields: Record<string, Rule>, also?: Also, other?: (key: string, value: Json) => boolean): Rule =>
  (value, place) => {
    if (!isObject(value)) refuse(place, "an object", value);
    const inside = (key: string): string => (place ? `${place}.${key.slice(0, 64)}` : key.slice(0, 64));
    for (const [key, rule] of Object.entries(fields)) {
      if (Object.hasOwn(value, key)) rule(value[key]!, inside(key));
      else if (!OPTIONAL.has(rule)) refuse(inside(key), "a value", undefined);
    }
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(fields, key) && !other?.(key, value[key]!)) refuse(inside(key), "no field of this name", value[key]);
    }
    const problem = also?.(value);
    if (problem) throw new FieldError(place, problem);
  };
