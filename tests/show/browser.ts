/**
 * Pages in a real browser: Debian's Chromium without a window, driven by playwright-core. May import Node, playwright-core, tests/skip.
 */
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { skip } from "../skip";

const CHROMIUM = "/usr/bin/chromium";
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What a page did besides what it was asked for: errors and warnings on its console, requests for anything but itself. */
export interface Noise {
  console: string[];
  requests: string[];
}

let browser: Promise<Browser> | undefined;

/** Ends the browser, if there is one. */
export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
}

/** Opens a file in the browser and calls `body`. Skips the test where there is no Chromium. */
export async function withPage(
  file: string,
  options: BrowserContextOptions,
  body: (page: Page, noise: Noise) => Promise<void>,
): Promise<void> {
  if (!existsSync(CHROMIUM)) skip("chromium is not installed");
  browser ??= chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGUMENTS });
  const context = await (await browser).newContext(options);
  try {
    const page = await context.newPage();
    const noise: Noise = { console: [], requests: [] };
    const url = pathToFileURL(file).href;
    page.on("console", (message) => noise.console.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => noise.console.push(`error: ${error.message}`));
    page.on("request", (request) => {
      if (request.url() !== url && !request.url().startsWith("data:")) noise.requests.push(request.url());
    });
    await page.goto(url);
    await body(page, noise);
  } finally {
    await context.close();
  }
}
