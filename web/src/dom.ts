/** Building the page. Every text from outside becomes a text node: no markup of a stranger is ever read. */
export type Child = Node | string | null | undefined | false | readonly Child[];
type Props = Record<string, string | boolean | ((event: Event) => void)>;

/** Make an element. Attributes are set, functions listen. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false) made.setAttribute(name, name === "aria-label" ? visible(value) : value);
  }
  add(made, children);
  return made;
}

function add(parent: Node, children: readonly Child[]): void {
  for (const child of children) {
    if (Array.isArray(child)) add(parent, child as readonly Child[]);
    else if (child) parent.appendChild(typeof child === "string" ? document.createTextNode(visible(child)) : (child as Node));
  }
}

/**
 * Show what nobody sees, so that no name looks like another, and nothing turns the text around it: what the command line
 * does not print (Python's `isprintable`: other and separators), and letters that fill no place. Lines and tabs stay.
 */
export function visible(text: string): string {
  return text.replace(/(?![ \n\t])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu, (letter) => {
    const number = letter.codePointAt(0)!.toString(16).padStart(4, "0");
    return number.length > 4 ? `\\u{${number}}` : `\\u${number}`;
  });
}

/** Make an element of a drawing, with attributes. */
export function s(tag: string, attributes: Record<string, string | number>, ...children: (Node | string | false)[]): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, name === "aria-label" ? visible(String(value)) : String(value));
  add(made, children);
  return made;
}

/** A table in a box that is scrolled where it is wider than the page. */
export function table(label: string, heads: readonly string[], rows: readonly (readonly Child[])[]): HTMLElement {
  const line = (cells: readonly Child[]): HTMLElement =>
    h("tr", {}, cells.map((cell, i) => (i ? h("td", {}, cell) : h("th", { scope: "row" }, cell))));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", { class: "list" }, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows.map(line))),
  );
}

export const short = (id: string): string => `${id.slice(0, 10)}…`;
export const code = (text: string): HTMLElement => h("code", {}, text);
/** The first second that no calendar of four digits has. A stranger's manifest can name any number. */
const AFTER_9999 = 253_402_300_800;
export const date = (seconds: number): string =>
  seconds < AFTER_9999
    ? new Date(seconds * 1000).toISOString().replace("T", " ").replace(".000Z", " UTC")
    : `second ${seconds}, after the year 9999`;

/** Write a number of bytes as people read it. */
export function bytes(count: number): string {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), units.length - 1);
  return `${(count / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}
