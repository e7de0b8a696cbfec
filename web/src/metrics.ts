/** Metrics of records: their histories, and what several records found, as tables and as plots. */
import type { Copies, JsonObject } from "@blockchaintracer/sdk";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import "./locale.ts";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { quietly } from "./around.ts";
import { h, short, table, visible } from "./dom.ts";
import type { Child } from "./dom.ts";
import { T } from "./texts.ts";
import type { Shown } from "./view.ts";

const MOST_BYTES = 16 << 20;
/** Of all histories together: a stranger's file can be named by every metric. */
const MOST_READ = 32 << 20;
const MOST_VALUES = 500_000;
const MOST_POINTS = 20_000;
const MOST_METRICS = 50;
const MOST_PLOTS = 12;
const MOST_ROWS = 200;
const MOST_LINES = 8;
/** Sizes that can be drawn, and how much larger than their differences values may be. */
const MOST_SIZE = 1e300;
const MOST_RATIO = 1e12;
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]];

type Point = [x: number, y: number];
/** Points by their steps. `others` counts values that are no numbers, as of a run that diverged. */
interface History {
  points: Point[];
  others: number;
}
/** Reads a file by its SHA-256 among what was dropped. */
export type Dropped = (sha256: string) => File | undefined;

interface Metric {
  name: string;
  /** By record, in their order: the value, as text where it is no number, and its history. */
  values: (number | string | undefined)[];
  histories: (History | undefined)[];
}

/** The section of metrics. Nothing if there is nothing to compare and no history. */
export async function metricsSection(records: readonly Shown[], dropped: Dropped, copies: Copies | undefined): Promise<HTMLElement | null> {
  const shown = records.slice(0, MOST_LINES);
  const metrics = await gather(shown, dropped, copies);
  const names = shown.map((record, i) => `${letter(i)}: ${record.manifest?.name ?? short(record.id)}`);
  const compared = metrics.filter(({ values }) => values.filter((value) => value !== undefined).length > 1);
  const withHistory = metrics.filter(({ histories }) => histories.some((history) => history && history.points.length > 1));
  if (!compared.length && !withHistory.length) return null;
  const plots = [
    ...withHistory.map((metric) => historyFigure(metric, names)),
    ...compared.filter(({ values }) => values.filter(isNumber).length > 1).map((metric) => valuesFigure(metric, names)),
  ];
  return h(
    "section",
    { "aria-label": T.metricsTitle },
    h("h2", {}, T.metricsTitle),
    h("p", { class: "dim" }, T.metricsLead),
    records.length > shown.length && h("p", { class: "dim" }, T.comparedFirst(shown.length, records.length)),
    compared.length > 0 && table(T.compared, [T.metric, ...names, T.apart], compared.map(({ name, values }) => [name, ...values.map(text), apart(values)])),
    h("div", { class: "plots" }, plots.slice(0, MOST_PLOTS)),
    plots.length > MOST_PLOTS && h("p", { class: "dim" }, T.morePlots(plots.length - MOST_PLOTS)),
  );
}

const letter = (at: number): string => String.fromCharCode(65 + at);
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const text = (value: number | string | undefined): string => (value === undefined ? "–" : String(value));

/** How far the numbers are apart, to as many digits as mean something. */
function apart(values: Metric["values"]): string {
  const numbers = values.filter(isNumber);
  return numbers.length > 1 ? String(Number((Math.max(...numbers) - Math.min(...numbers)).toPrecision(6))) : "–";
}

async function gather(records: readonly Shown[], dropped: Dropped, copies: Copies | undefined): Promise<Metric[]> {
  const metrics = new Map<string, Metric>();
  const room = { left: MOST_READ };
  for (const [at, { manifest }] of records.entries()) {
    const given = (manifest?.predicate["metrics"] ?? {}) as Record<string, JsonObject>;
    for (const [name, metric] of Object.entries(given).slice(0, MOST_METRICS)) {
      const made = metrics.get(name) ?? { name, values: records.map(() => undefined), histories: records.map(() => undefined) };
      made.values[at] = metric["value"] as number | string;
      const file = (metric["history"] as JsonObject | undefined)?.["sha256"];
      if (typeof file === "string") made.histories[at] = await history(file, name, dropped, copies, room);
      metrics.set(name, made);
    }
  }
  return [...metrics.values()];
}

/** A history by its digest: of a file that was dropped and hashed, or of a published copy, which is re-hashed. */
async function history(digest: string, name: string, dropped: Dropped, copies: Copies | undefined, room: { left: number }): Promise<History | undefined> {
  const file = dropped(digest);
  const most = Math.min(MOST_BYTES, room.left);
  const data = file ? (file.size <= most ? new Uint8Array(await file.arrayBuffer()) : null) : await copies?.read(digest, most).catch(() => null);
  if (!data || bytesToHex(sha256(data)) !== digest) return undefined;
  room.left -= data.length;
  return readHistory(new TextDecoder().decode(data), name);
}

/** Read steps and values: JSON (numbers, pairs, objects with `value`), one JSON object a line, or CSV with a column `value`. */
export function readHistory(written: string, name: string): History | undefined {
  const lines = written.split(/\r?\n/, MOST_VALUES + 2).filter((line) => line.trim());
  if (lines.length > MOST_VALUES) return undefined;
  let values: unknown = quietly(() => JSON.parse(written)) ?? quietly(() => lines.map((line) => JSON.parse(line) as unknown)) ?? csv(lines, name);
  if (typeof values === "object" && values !== null && !Array.isArray(values)) {
    const named = values as Record<string, unknown>;
    values = named[name] ?? named["history"];
  }
  if (!Array.isArray(values) || values.length > MOST_VALUES) return undefined;
  const points = values.flatMap((value, at) => point(value, at, name)).sort(([a], [b]) => a - b);
  return { points, others: values.length - points.length };
}

/** The columns that count: a stranger's table can have a million others. */
function csv(lines: readonly string[], name: string): Record<string, string>[] {
  const [head = [], ...rows] = lines.map((line) => line.split(",").map((cell) => cell.trim()));
  const columns = ["step", "value", "y", name].map((column) => [column, head.indexOf(column)] as const).filter(([, at]) => at >= 0);
  return rows.map((row) => Object.fromEntries(columns.map(([column, at]) => [column, row[at] ?? ""])));
}

function point(given: unknown, at: number, name: string): Point[] {
  let [step, value]: unknown[] = [at, given];
  if (Array.isArray(given)) [step, value] = given;
  else if (typeof given === "object" && given !== null) {
    const fields = given as Record<string, unknown>;
    step = fields["step"] ?? at;
    value = fields["value"] ?? fields["y"] ?? fields[name];
  }
  const isWritten = (it: unknown): boolean => typeof it === "number" || (typeof it === "string" && it.trim() !== "");
  const [x, y] = [step, value].map((it) => (isWritten(it) ? Number(it) : NaN)) as Point;
  return Number.isFinite(x) && Number.isFinite(y) ? [[x, y]] : [];
}

// -- figures

function historyFigure({ name, histories }: Metric, names: readonly string[]): HTMLElement {
  const lines = histories.flatMap((line, at) => (line && line.points.length > 1 ? [{ ...line, at }] : []));
  // the figures are of all values, whatever is drawn
  const every = Math.max(...lines.map(({ points }) => Math.ceil(points.length / MOST_POINTS)));
  const drawn = lines.map(({ points }) => points.filter((_, at) => at % every === 0));
  const data = uPlot.join(drawn.map((points) => [points.map(([x]) => x), points.map(([, y]) => y)] as uPlot.AlignedData));
  const series = lines.map(({ at }) => ({ label: names[at]!, at }));
  const rows = lines.map(({ points, others, at }) => {
    const [least, most] = points.reduce(([a, b], [, y]) => [Math.min(a, y), Math.max(b, y)], [Infinity, -Infinity]);
    return [names[at]!, String(points.length) + (others ? T.noNumbers(others) : ""), String(points[0]![1]), String(points.at(-1)![1]), String(least), String(most)];
  });
  const shown = lines.flatMap(({ points, at }) => points.slice(0, MOST_ROWS).map(([x, y]) => [names[at]!, String(x), String(y)])).slice(0, MOST_ROWS);
  const more = lines.reduce((sum, { points }) => sum + points.length, -shown.length);
  return figure(T.historyOf(name), data, series, { points: false, x: T.step }, [
    every > 1 && h("p", { class: "dim" }, T.everyNth(every)),
    table(T.historyOf(name), T.historyHeads, rows),
    h(
      "details",
      {},
      h("summary", {}, T.everyValue),
      table(T.everyValue, T.valueHeads, shown),
      more > 0 && h("p", { class: "dim" }, T.moreValues(more)),
    ),
  ]);
}

function valuesFigure({ name, values }: Metric, names: readonly string[]): HTMLElement {
  const data = [values.map((_, at) => at), values.map((value) => (isNumber(value) ? value : null))] as uPlot.AlignedData;
  return figure(T.valuesOf(name), data, [{ label: name, at: 0 }], { points: true, x: "", ticks: names.map((_, at) => letter(at)) }, []);
}

interface Look {
  points: boolean;
  x: string;
  /** Names of 0, 1, 2 … on the horizontal axis. */
  ticks?: string[];
}

/** Whether an axis can count through values: by steps that are too small for them it would never end. */
function isDrawable(values: ArrayLike<number | null | undefined>): boolean {
  const [least, most] = Array.from(values).reduce<[number, number]>(([a, b], it) => (isNumber(it) ? [Math.min(a, it), Math.max(b, it)] : [a, b]), [Infinity, -Infinity]);
  const size = Math.max(Math.abs(least), Math.abs(most));
  return least >= most ? size < MOST_SIZE || least > most : most - least < MOST_SIZE && size / (most - least) < MOST_RATIO;
}

function figure(title: string, data: uPlot.AlignedData, series: { label: string; at: number }[], look: Look, more: Child[]): HTMLElement {
  const place = h("div", { class: "plot" });
  const key = series.length > 1 && h("ul", { class: "plain key" }, series.map(({ label, at }) => h("li", { class: `line${at}` }, label)));
  const made = h("figure", { class: look.points ? "" : "wide" }, h("figcaption", {}, title), place, key, more);
  if (!data.every(isDrawable)) {
    place.append(T.notDrawable);
    return made;
  }
  const colour = (variable: string) => (): string => getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
  const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
  const { ticks } = look;
  const options: uPlot.Options = {
    width: 320,
    height: 230,
    cursor: { show: false },
    legend: { show: false },
    scales: { x: { time: false, ...(ticks && { range: [-0.5, ticks.length - 0.5] as [number, number] }) } },
    axes: [
      { ...axis, ...(look.x && { label: look.x, labelSize: 20, labelFont: "12px system-ui, sans-serif" }), ...(ticks && { splits: ticks.map((_, at) => at), values: () => ticks }) },
      { ...axis, size: 64 },
    ],
    series: [
      {},
      ...series.map(({ label, at }) => ({
        label,
        stroke: colour(`--line${at % MOST_LINES}`),
        width: look.points ? 0 : 2,
        dash: DASHES[Math.floor(at / 2) % DASHES.length]!,
        spanGaps: true,
        points: { show: look.points, size: 10, fill: colour(`--line${at % MOST_LINES}`) },
      })),
    ],
  };
  const plot = new uPlot(options, data, place);
  plot.root.setAttribute("role", "img");
  plot.root.setAttribute("aria-label", visible(title));
  new ResizeObserver(() => plot.setSize({ width: Math.max(200, place.clientWidth), height: 230 })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw(false));
  return made;
}
