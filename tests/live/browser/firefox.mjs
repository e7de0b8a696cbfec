// Uses the page that verifies in Firefox, by WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/).
// In, as JSON: {firefox, profile, page, visits: [{files, fields: {id: text}, press, expects}]}. Out: one object a visit.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const { firefox, profile, page, visits } = JSON.parse(readFileSync(0, "utf8"));
const browser = spawn(firefox, ["--headless", "--no-remote", "--remote-debugging-port=0", "--profile", profile], { stdio: ["ignore", "ignore", "pipe"] });
const ended = new Promise((resolve) => browser.once("exit", resolve));
let address;
for await (const line of createInterface({ input: browser.stderr })) {
  address = /WebDriver BiDi listening on (ws:\S+)/.exec(line)?.[1];
  if (address) break;
}
if (!address) throw new Error("Firefox ended before it listened");
const socket = new WebSocket(`${address}/session`);
await new Promise((resolve, reject) => ((socket.onopen = resolve), (socket.onerror = reject)));
const [waiting, messages] = [new Map(), []];
let last = 0;
socket.onmessage = ({ data }) => {
  const told = JSON.parse(data);
  if (told.method === "log.entryAdded") messages.push(`${told.params.level}: ${told.params.text}`);
  const [resolve, reject] = waiting.get(told.id) ?? [];
  if (told.type === "error") reject?.(new Error(`${told.error}: ${told.message}`));
  else resolve?.(told.result);
};
const ask = (method, params) => new Promise((resolve, reject) => {
  waiting.set(++last, [resolve, reject]);
  socket.send(JSON.stringify({ id: last, method, params }));
});
await ask("session.new", { capabilities: {} });
await ask("session.subscribe", { events: ["log.entryAdded"] });
const { contexts: [{ context }] } = await ask("browsingContext.getTree", {});
const run = async (expression) => (await ask("script.evaluate", { expression, target: { context }, awaitPromise: true })).result;
const value = (text) => JSON.stringify(text);
const told = [];
for (const { files, fields = {}, press, expects } of visits) {
  messages.length = 0;
  await ask("browsingContext.navigate", { context, url: "about:blank", wait: "complete" });
  await ask("browsingContext.navigate", { context, url: page, wait: "complete" });
  if (files) await ask("input.setFiles", { context, element: { sharedId: (await run("document.getElementById('files')")).sharedId }, files });
  for (const [id, text] of Object.entries(fields)) {
    await run(`(() => { const it = document.getElementById(${value(id)}); it.value = ${value(text)}; it.dispatchEvent(new Event("input")); })()`);
  }
  if (press) await run("document.querySelector('button.main').click()");
  const deadline = Date.now() + 60_000;
  let text = "";
  while (!(text = (await run("document.body.innerText")).value).includes(expects) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 100));
  const drawings = (await run("JSON.stringify([...document.querySelectorAll('[role=img]')].map((it) => it.getAttribute('aria-label')))")).value;
  told.push({ text, drawings: JSON.parse(drawings), messages: [...messages] });
}
await ask("browser.close", {}).catch(() => browser.kill());
socket.close();
await ended;
process.stdout.write(JSON.stringify(told));
