// Opens files in Chromium, each at several widths, and tells what a person would see and what the page tried.
// In, as JSON: {files: [path], widths: [pixels]}. Out: one object a file.
import chromium from "@sparticuz/chromium";
import { chromium as browsers } from "playwright-core";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { files, widths } = JSON.parse(readFileSync(0, "utf8"));
// the package's own arguments switch the web's security off; a root in a container can have no sandbox
const browser = await browsers.launch({
  executablePath: await chromium.executablePath(),
  args: ["--disable-gpu", "--no-sandbox"],
});
const told = [];
for (const file of files) {
  const page = await browser.newPage();
  const requests = [];
  const messages = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => messages.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => messages.push(`error: ${error.message}`));
  page.on("dialog", async (dialog) => {
    messages.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  const url = pathToFileURL(file).href;
  await page.goto(url, { waitUntil: "networkidle" });
  const seen = await page.evaluate(() => ({
    title: document.title,
    text: document.documentElement.innerText ?? document.documentElement.textContent,
    images: [...document.images].map(({ alt, complete, naturalWidth, naturalHeight }) => ({
      alt,
      drawn: complete && naturalWidth > 0 && naturalHeight > 0,
    })),
  }));
  const overflowing = [];
  for (const width of widths) {
    await page.setViewportSize({ width, height: 800 });
    if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)) overflowing.push(width);
  }
  told.push({
    ...seen,
    overflowing,
    messages,
    asked: requests.filter((asked) => asked !== url && !asked.startsWith("data:")),
    stayed: page.url() === url,
    printed: (await page.pdf()).length,
  });
  await page.close();
}
await browser.close();
process.stdout.write(JSON.stringify(told));
