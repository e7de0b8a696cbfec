// Asks the example dApp in Chromium. In, as JSON: {url, questions: [{file, fields}]}. Out: what the page answered to each.
import chromium from "@sparticuz/chromium";
import { chromium as browsers } from "playwright-core";
import { readFileSync } from "node:fs";

const { url, questions } = JSON.parse(readFileSync(0, "utf8"));
const browser = await browsers.launch({
  executablePath: await chromium.executablePath(),
  args: ["--disable-gpu", "--no-sandbox"],
});
const answers = [];
for (const { file, fields } of questions) {
  const page = await browser.newPage({ viewport: { width: 360, height: 800 } });
  const messages = [];
  const asked = new Set();
  page.on("console", (message) => messages.push(message.text()));
  page.on("pageerror", (error) => messages.push(`error: ${error.message}`));
  page.on("request", (request) => asked.add(new URL(request.url()).origin));
  await page.goto(url);
  await page.setInputFiles("#file", file);
  for (const [name, value] of Object.entries(fields)) await page.fill(`#${name}`, value);
  await page.click("button");
  await page.waitForFunction(() => document.getElementById("answer").ariaBusy === "false");
  const lines = await page.locator("#answer p").evaluateAll((found) => found.map((line) => [line.className, line.textContent]));
  const isWide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  answers.push({ lines, messages, asked: [...asked].sort(), isWide });
  await page.close();
}
await browser.close();
process.stdout.write(JSON.stringify(answers));
