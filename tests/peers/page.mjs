// Opens Vigie's console in Chromium and looks at it: light and dark, wide and narrow, and the first alert if there is
// one. In: the page's address. Out: screenshots in a folder, one JSON object on stdout; exit status 1 if the page says
// an error, asks another host for anything, is wider than the window, or has a heading or language missing.
//
//   VIGIE_PAGE_MODULES=…/node_modules VIGIE_CHROMIUM=/usr/bin/chromium node page.mjs URL FOLDER

import { createRequire } from "node:module";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [address, folder] = process.argv.slice(2);
if (!address || !folder) {
  console.error("usage: node page.mjs URL FOLDER");
  process.exit(2);
}
const modules = process.env.VIGIE_PAGE_MODULES ?? ".cache/page/node_modules";
const { chromium } = createRequire(join(modules, "x.js"))("playwright-core");

const home = new URL(address);
const problems = new Set();
const screenshots = [];
await mkdir(folder, { recursive: true });
const profile = await mkdtemp(join(tmpdir(), "vigie-page-"));

const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.VIGIE_CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// The page listens for changes for ever, so it is never idle: it is given a moment instead.
const settle = 1500;

async function look(name, scheme, width, height, path) {
  const page = await browser.newPage();
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: scheme });
  page.on("console", (message) => {
    if (message.type() === "error") problems.add(`${name}: console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.add(`${name}: script: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:"].includes(url.protocol) && url.host !== home.host) {
      problems.add(`${name}: asks another host: ${url.host}`);
    }
  });
  page.on("response", (response) => {
    if (response.status() >= 400) problems.add(`${name}: ${response.status()} for ${new URL(response.url()).pathname}`);
  });

  const answer = await page.goto(new URL(path, home).href, { waitUntil: "load", timeout: 30000 });
  await page.waitForTimeout(settle);
  const policy = answer.headers()["content-security-policy"] ?? "";
  if (!/default-src 'none'|default-src 'self'/.test(policy) || /unsafe-(inline|eval)/.test(policy)) {
    problems.add(`${name}: content-security-policy is ${policy || "missing"}`);
  }
  const facts = await page.evaluate(() => ({
    title: document.title,
    language: document.documentElement.lang,
    headings: document.querySelectorAll("h1").length,
    overflow: document.documentElement.scrollWidth - window.innerWidth,
    unnamed: [...document.querySelectorAll("button, a[href], img")].filter(
      (e) => !(e.textContent.trim() || e.getAttribute("aria-label") || e.getAttribute("alt") !== null || e.title)).length,
    background: getComputedStyle(document.body).backgroundColor,
    alert: document.querySelector('a[href*="/alerts/"]')?.getAttribute("href") ?? null,
  }));
  if (!facts.title) problems.add(`${name}: no title`);
  if (!facts.language) problems.add(`${name}: no lang on <html>`);
  if (facts.headings !== 1) problems.add(`${name}: ${facts.headings} <h1>, one is expected`);
  if (facts.overflow > 0) problems.add(`${name}: ${facts.overflow} px wider than a window of ${width}`);
  if (facts.unnamed > 0) problems.add(`${name}: ${facts.unnamed} controls or pictures without a name`);
  const file = join(folder, `${name}.png`);
  await page.screenshot({ path: file, fullPage: true });
  screenshots.push(file);
  await page.close();
  return facts;
}

let facts = {};
try {
  const start = home.pathname + home.search;
  facts = await look("console-light-wide", "light", 1280, 860, start);
  const dark = await look("console-dark-wide", "dark", 1280, 860, start);
  if (dark.background === facts.background) problems.add("the page looks the same in light and dark");
  await look("console-light-narrow", "light", 390, 844, start);
  await look("console-dark-narrow", "dark", 390, 844, start);
  const alert = dark.alert ?? facts.alert;
  if (alert) {
    await look("alert-light-wide", "light", 1280, 860, alert);
    await look("alert-dark-narrow", "dark", 390, 844, alert);
  }
} catch (error) {
  problems.add(`it could not be looked at: ${error.message.split("\n")[0]}`);
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
}
console.log(JSON.stringify({ ok: problems.size === 0, problems: [...problems], screenshots, title: facts.title, alert: facts.alert }));
process.exit(problems.size === 0 ? 0 : 1);
