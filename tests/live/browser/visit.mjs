// Uses the page that verifies as a person does, and tells what came and what the page tried.
// In, as JSON: {page, hosts, visits: [{address, fragment, folder, files, fields: {id: text, or true to tick it}, paste, press, then, badge, widths, picture}]}.
// `then` is a list of {files, folder, choose: [selector, files], link, fill: {id: text}, click: selector, expects: text}, done one after another.
// `hosts` says where names of hosts lead, as Chromium's --host-resolver-rules do; no certificate is checked then.
// Out: one object a visit.
import chromium from "@sparticuz/chromium";
import axe from "axe-core";
import { readFileSync } from "node:fs";
import { chromium as browsers } from "playwright-core";

const { page: address, hosts, visits } = JSON.parse(readFileSync(0, "utf8"));
const browser = await browsers.launch({
  executablePath: await chromium.executablePath(),
  args: ["--disable-gpu", "--no-sandbox", ...(hosts ? [`--host-resolver-rules=${hosts}`, "--ignore-certificate-errors"] : [])],
});
const told = [];
for (const visit of visits) {
  const page = await browser.newPage({ colorScheme: visit.dark ? "dark" : "light", bypassCSP: false });
  const [requests, messages] = [[], []];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => messages.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => messages.push(`error: ${error.message}`));
  page.on("dialog", async (dialog) => {
    messages.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  const start = Date.now();
  await page.goto(`${visit.address ?? address}${visit.fragment ?? ""}`, { waitUntil: "load" });
  for (const [id, text] of Object.entries(visit.fields ?? {})) {
    if (id === "network") await page.selectOption("#network", text);
    else if (text === true) await page.check(`#${id}`);
    else await page.fill(`#${id}`, text);
  }
  if (visit.files) await page.setInputFiles("#files", visit.files);
  if (visit.folder) await page.setInputFiles("#folder", visit.folder);
  if (visit.paste) {
    await page.fill("#paste", visit.paste);
    await page.click("form button >> nth=0");
  }
  if (visit.press) await page.click("button.main");
  if (visit.expects) await page.waitForFunction((text) => document.body.innerText.includes(text), visit.expects, { timeout: visit.seconds ? visit.seconds * 1000 : 120_000 }).catch(() => messages.push("error: what was expected did not come"));
  for (const { files, folder, choose, link, fill = {}, click, expects } of visit.then ?? []) {
    if (files) await page.setInputFiles("#files", files);
    if (folder) await page.setInputFiles("#folder", folder);
    if (choose) await page.setInputFiles(...choose);
    if (link) await page.evaluate((text) => void (location.hash = text), link);
    for (const [id, text] of Object.entries(fill)) await page.fill(`#${id}`, text);
    if (click) await page.click(click).catch((error) => messages.push(`error: ${error.message}`));
    if (expects) await page.waitForFunction((text) => document.body.innerText.includes(text), expects, { timeout: 30_000 }).catch(() => messages.push(`error: "${expects}" did not come`));
  }
  // what is expected may come before the rest does
  await page.waitForFunction(() => document.body.ariaBusy !== "true", undefined, { timeout: 120_000 }).catch(() => messages.push("error: it did not end"));
  const overflowing = [];
  for (const width of visit.widths ?? []) {
    await page.setViewportSize({ width, height: 900 });
    if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)) overflowing.push(width);
    if (visit.picture) await page.screenshot({ path: `${visit.picture}-${width}.png`, fullPage: true });
  }
  const text = await page.evaluate(() => document.body.innerText);
  let badge = "";
  if (visit.badge) {
    const [saved] = await Promise.all([page.waitForEvent("download"), page.click("text=Save a badge")]);
    badge = readFileSync(await saved.path(), "utf8");
  }
  const memory = await page.evaluate(() => performance.memory?.usedJSHeapSize ?? 0);
  let faults = [];
  if (visit.audit) {
    // a second page without the policy, because the audit is a script that the policy refuses
    await page.evaluate(axe.source).catch(() => undefined);
    const found = await page.evaluate(() => globalThis.axe?.run(document, { resultTypes: ["violations"] }));
    faults = (found?.violations ?? [{ id: "the audit did not run", nodes: [] }]).map(
      ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`,
    );
  }
  told.push({
    text,
    badge,
    messages,
    overflowing,
    faults,
    memory,
    seconds: (Date.now() - start) / 1000,
    asked: requests.filter((asked) => !asked.startsWith("file:") && !asked.startsWith("data:") && !asked.startsWith("blob:")),
    address: page.url(),
    drawings: await page.evaluate(() => [...document.querySelectorAll("[role=img]")].map((it) => it.getAttribute("aria-label"))),
    stored: await page.evaluate(() => Object.values({ ...localStorage }).join(" ")),
  });
  await page.close();
}
await browser.close();
process.stdout.write(JSON.stringify(told));
