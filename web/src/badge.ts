/** A badge that says what was checked and when. It proves nothing by itself: anybody can draw one. */
const escaped = (text: string): string => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
const COLOURS: Record<string, string> = { pass: "#1b6b3a", fail: "#a32116", unknown: "#7a5200" };

/** Draw a badge: of which record, what was found, and when it was checked. */
export function badge(left: string, outcome: string, tone: string, when: string): string {
  const right = `${outcome} on ${when.slice(0, 10)}`;
  const [a, b] = [left.length * 7 + 14, right.length * 7 + 14];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${a + b}" height="22" role="img" aria-label="${escaped(`${left}: ${right}`)}">
<rect width="${a}" height="22" fill="#37424a"/><rect x="${a}" width="${b}" height="22" fill="${COLOURS[tone]}"/>
<g fill="#fff" font-family="Verdana,sans-serif" font-size="11"><text x="7" y="15">${escaped(left)}</text><text x="${a + 7}" y="15">${escaped(right)}</text></g>
</svg>
`;
}
