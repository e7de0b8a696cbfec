/** Draws a lineage, and lists it for who can't see the drawing: what a record came from, and what stands on it. */
import { Graph, layout } from "@dagrejs/dagre";
import { relations } from "@blockchaintracer/contracts";
import type { Around, Edge, Entry } from "./around.ts";
import { h, s, short, table, visible } from "./dom.ts";
import type { Child } from "./dom.ts";
import { T, kindWord } from "./texts.ts";

const MOST_DRAWN = 48;
/** Links that are drawn, and those that a row of the list has: a stranger's record can have a thousand. */
const MOST_LINKS = 100;
const MOST_LISTED = 20;
const [WIDTH, HEIGHT] = [230, 54];
const relationNames = new Map<number, string>(Object.entries(relations).map(([name, number]) => [number, name.replaceAll("-", " ")]));
export const relationName = (relation: number): string => relationNames.get(relation) ?? T.relation(relation);

/** The section of a lineage; `look` opens a record. Nothing if no record leads to another. */
export function lineage(near: Around, word: string, of: string, look: (id: string) => void): HTMLElement | null {
  const { entries, edges, left } = near;
  if (!edges.length) return null;
  const nearest = [...entries.values()].sort((a, b) => Math.abs(a.depth) - Math.abs(b.depth)).slice(0, MOST_DRAWN);
  const drawn = new Set(nearest.map(({ id }) => id));
  const others = left + entries.size - drawn.size;
  const links = Map.groupBy(edges, ({ child }) => child);
  const rows = [...entries.values()].map((entry) => [
    entry.depth ? h("button", { type: "button", class: "link", click: () => look(entry.id) }, titled(entry)) : h("strong", {}, titled(entry)),
    kindWord(entry.kind),
    entry.depth < 0 ? T.cameFrom : entry.depth > 0 ? T.standsOn : T.itself,
    linksOf(links.get(entry.id) ?? [], entries),
    h("span", { class: entry.state }, T.state[entry.state]),
  ]);
  return h(
    "section",
    { "aria-label": T.lineageTitle + of },
    h("h2", {}, T.lineageTitle + of),
    h("p", { class: "dim" }, T.lineageLead),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": T.drawing + of }, drawing(near, nearest, look)),
    others > 0 && h("p", { class: "dim" }, T.notDrawn(others)),
    edges.length > MOST_LINKS && h("p", { class: "dim" }, T.firstLinks(MOST_LINKS)),
    h("p", { class: "dim" }, word),
    h("details", { open: entries.size <= 8 }, h("summary", {}, T.asList), table(T.asList + of, T.lineageHeads, rows)),
  );
}

function linksOf(links: readonly Edge[], entries: Around["entries"]): Child[] {
  const shown = links.slice(0, MOST_LISTED).map(({ parent, relation }) => h("div", {}, `${relationName(relation)} ${titled(entries.get(parent)!)}`));
  return [shown, links.length > MOST_LISTED && h("div", { class: "dim" }, T.moreLinks(links.length - MOST_LISTED))];
}

const titled = ({ name, id }: Entry): string => name ?? short(id);

function drawing({ edges }: Around, nodes: readonly Entry[], look: (id: string) => void): SVGElement {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: "BT", nodesep: 26, ranksep: 52, edgesep: 14, marginx: 8, marginy: 8 });
  for (const { id } of nodes) graph.setNode(id, { width: WIDTH, height: HEIGHT });
  const shown = edges.filter(({ child, parent }) => graph.hasNode(child) && graph.hasNode(parent)).slice(0, MOST_LINKS);
  for (const { child, parent, relation } of shown) {
    graph.setEdge(child, parent, { width: relationName(relation).length * 6.4 + 8, height: 16, labelpos: "c" }, String(relation));
  }
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const lines = shown.map(({ child, parent, relation }) => {
    const { points, x, y } = graph.edge(child, parent, String(relation)) as unknown as { points: { x: number; y: number }[]; x: number; y: number };
    const path = points.map((point, i) => `${i ? "L" : "M"}${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join("");
    return [
      s("path", { d: path, "marker-end": "url(#arrow)" }),
      s("text", { x, y: y + 4, class: "relation", "text-anchor": "middle" }, relationName(relation)),
    ];
  });
  const boxes = nodes.map((entry) => {
    const { x, y } = graph.node(entry.id) as { x: number; y: number };
    const left = x - WIDTH / 2;
    const box = s(
      "g",
      { class: `node ${entry.state}${entry.depth ? "" : " root"}`, transform: `translate(${left.toFixed(1)} ${(y - HEIGHT / 2).toFixed(1)})` },
      s("title", {}, `${titled(entry)}, ${T.state[entry.state]}`),
      s("rect", { width: WIDTH, height: HEIGHT, rx: 8 }),
      s("text", { x: 12, y: 23, class: "name" }, fitted(titled(entry), "600 14px system-ui, sans-serif")),
      s("text", { x: 12, y: 42, class: "more" }, fitted(entry.state === "recorded" ? kindWord(entry.kind) : `${kindWord(entry.kind)}, ${T.state[entry.state]}`, "600 12px system-ui, sans-serif")),
    );
    // a shortcut for a pointer: the list below has the same as buttons
    if (entry.depth) box.addEventListener("click", () => look(entry.id));
    return box;
  });
  const arrow = s("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" }, s("path", { d: "M0 0L8 4L0 8z" }));
  return s(
    "svg",
    { class: "lineage", width: Math.ceil(width), height: Math.ceil(height), viewBox: `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`, role: "img", "aria-label": T.drawingOf(nodes.length) },
    s("defs", {}, arrow),
    ...lines.flat(),
    ...boxes,
  );
}

let ruler: CanvasRenderingContext2D | null = null;

/** As much of a text as fits into a box. */
function fitted(given: string, font: string): string {
  const text = visible(given);
  ruler ??= document.createElement("canvas").getContext("2d");
  if (!ruler) return text.slice(0, 20);
  ruler.font = font;
  const letters = [...text.slice(0, 80)];
  const fits = (count: number): boolean => ruler!.measureText(letters.slice(0, count).join("")).width <= WIDTH - 30;
  if (letters.length === [...text].length && fits(letters.length)) return text;
  let count = letters.length;
  while (count && !fits(count)) count--;
  return `${letters.slice(0, count).join("")}…`;
}
