// A host of MCP Apps for tests: the view runs in Chromium behind the official AppBridge, and its requests go through the
// official client to our server. Each line of stdin is a command, each line of stdout its answer (see browser.py).
//
// As the specification asks: host page (127.0.0.1) > sandbox on another origin (localhost), served with the policy that
// the resource allows > frame with the page (srcdoc, sandbox=allow-scripts).
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import playwright from "playwright-core";

const MODULES = path.join(path.dirname(fileURLToPath(import.meta.url)), "node_modules");
const APPS = { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } };
const IMPORTS = {
  "@modelcontextprotocol/ext-apps/app-bridge": "@modelcontextprotocol/ext-apps/dist/src/app-bridge.js",
  "@modelcontextprotocol/client": "@modelcontextprotocol/client/dist/index.mjs",
  "@modelcontextprotocol/client/_shims": "@modelcontextprotocol/client/dist/shimsBrowser.mjs",
  "@modelcontextprotocol/core": "@modelcontextprotocol/core/dist/index.mjs",
  "@modelcontextprotocol/core/internal": "@modelcontextprotocol/core/dist/internal.mjs",
  eventsource: "eventsource/dist/index.js",
  "eventsource-parser": "eventsource-parser/dist/index.js",
  "eventsource-parser/stream": "eventsource-parser/dist/stream.js",
  "pkce-challenge": "pkce-challenge/dist/index.browser.js",
  "zod/v4": "zod/v4/index.js",
};
const importMap = { imports: Object.fromEntries(Object.entries(IMPORTS).map(([name, file]) => [name, `/modules/${file}`])) };

const HOST_PAGE = `<!doctype html><title>host</title><style>body{margin:0}iframe{border:0;display:block}</style><body>
<script type="importmap">${JSON.stringify(importMap)}</script><script type="module">
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";
const opened = await (await fetch("/opened")).json();
const seen = (window.seen = { calls: [], messages: [], sizes: [] });
const frame = document.createElement("iframe");
frame.style = "width:100vw;height:" + (opened.height ?? 600) + "px";
frame.setAttribute("sandbox", "allow-scripts allow-same-origin");
const bridge = (window.bridge = new AppBridge(null, { name: "host for tests", version: "1" }, opened.capabilities,
  { hostContext: { displayMode: "inline", toolInfo: { tool: opened.tool }, ...opened.context } }));
const forward = (kind) => async (params) => {
  seen.calls.push([kind, params]);
  const answer = await (await fetch("/forward", { method: "POST", body: JSON.stringify([kind, params]) })).json();
  if (answer.error) throw new Error(answer.error);
  return answer.result;
};
if (opened.capabilities.serverTools) bridge.oncalltool = forward("callTool");
if (opened.capabilities.serverResources) bridge.onreadresource = forward("readResource");
bridge.onmessage = async (params) => { seen.messages.push(params); return opened.refuses ? { isError: true } : {}; };
bridge.addEventListener("sizechange", (size) => {
  seen.sizes.push(size);
  if (opened.height === undefined) frame.style.height = size.height + "px";
});
bridge.addEventListener("sandboxready", () => bridge.sendSandboxResourceReady({ html: opened.html, csp: opened.ui.csp }));
bridge.addEventListener("initialized", async () => {
  await bridge.sendToolInput({ arguments: opened.args });
  await bridge.sendToolResult(opened.result);
  seen.sent = true;
});
document.body.append(frame);
await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
frame.src = opened.sandbox;
</script>`;

const sandboxPage = (origin) => `<!doctype html><body style="margin:0"><script>
const inner = document.createElement("iframe");
inner.style = "border:0;display:block;width:100%;height:100vh";
inner.sandbox = "allow-scripts";
document.body.append(inner);
addEventListener("message", (event) => {
  if (event.source === inner.contentWindow) return parent.postMessage(event.data, "${origin}");
  if (event.source !== parent || event.origin !== "${origin}") return;
  if (event.data?.method === "ui/notifications/sandbox-resource-ready") inner.srcdoc = event.data.params.html;
  else inner.contentWindow.postMessage(event.data, "*");
});
parent.postMessage({ jsonrpc: "2.0", method: "ui/notifications/sandbox-proxy-ready", params: {} }, "${origin}");
</script>`;

// The default policy of the specification, with the domains that the resource asks for.
function policy({ csp = {} }) {
  const domains = (csp.resourceDomains ?? []).join(" ");
  return [
    "default-src 'none'", `script-src 'self' 'unsafe-inline' ${domains}`, `style-src 'self' 'unsafe-inline' ${domains}`,
    `img-src 'self' data: ${domains}`, `font-src 'self' data: ${domains}`, `media-src 'self' data: ${domains}`,
    `connect-src ${(csp.connectDomains ?? []).join(" ") || "'none'"}`, "frame-src 'self'", "base-uri 'self'", "object-src 'none'",
  ].join("; ");
}

const [chromium, target, mode] = process.argv.slice(2);
const client = new Client({ name: "host for tests", version: "1" },
  { versionNegotiation: { mode }, capabilities: { extensions: APPS } });
await client.connect(target.startsWith("http") ? new StreamableHTTPClientTransport(new URL(target))
  : new StdioClientTransport({ command: JSON.parse(target)[0], args: JSON.parse(target).slice(1), env: process.env, stderr: "ignore" }));
const { tools } = await client.listTools();

let opened = {};
const listen = (answer) => new Promise((resolve) => {
  const server = http.createServer(answer).listen(0, "127.0.0.1", () => resolve(server));
});
const read = async (stream) => { let text = ""; for await (const chunk of stream) text += chunk; return text; };
const visible = (name) => tools.some((tool) => tool.name === name && (tool._meta?.ui?.visibility ?? ["model", "app"]).includes("app"));
const hostServer = await listen(async (asked, answer) => {
  const send = (type, body, age = 0) => answer.writeHead(200, { "content-type": type, "cache-control": `max-age=${age}` }).end(body);
  if (asked.url === "/") return send("text/html", HOST_PAGE);
  if (asked.url === "/opened") return send("application/json", JSON.stringify(opened));
  if (asked.url.startsWith("/modules/")) return send("text/javascript", fs.readFileSync(path.join(MODULES, asked.url.slice(9))), 3_600);
  if (asked.url !== "/forward") return answer.writeHead(204).end();
  const [kind, params] = JSON.parse(await read(asked));
  try {
    if (kind === "callTool" && !visible(params.name)) throw new Error(`the tool ${params.name} is not listed`);
    send("application/json", JSON.stringify({ result: await client[kind](params) }));
  } catch (error) {
    send("application/json", JSON.stringify({ error: error.message }));
  }
});
const hostOrigin = `http://127.0.0.1:${hostServer.address().port}`;
const sandboxServer = await listen((_, answer) =>
  answer.writeHead(200, { "content-type": "text/html", "content-security-policy": policy(opened.ui) }).end(sandboxPage(hostOrigin)));
const sandboxOrigin = `http://localhost:${sandboxServer.address().port}`;

const browser = await playwright.chromium.launch({ executablePath: chromium, args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"] });
const tab = await browser.newContext({ deviceScaleFactor: 1.5 }); // one, for its cache of modules
let page, requests, errors;
const view = () => page.frames().find((frame) => frame.parentFrame()?.parentFrame());
const TIMEOUT = { timeout: 30_000 };

const commands = {
  listed: () => ({ protocol: client.getNegotiatedProtocolVersion(), tools }),
  // Calls a tool and opens the view with its answer. `result` replaces the answer.
  async open({ tool, args = {}, result, width = 720, height, capabilities, context = {}, refuses }) {
    await page?.close();
    const listed = tools.find((one) => one.name === tool);
    const { contents: [resource] } = await client.readResource({ uri: listed._meta.ui.resourceUri });
    opened = {
      tool: listed, args, width, height, refuses, context, sandbox: `${sandboxOrigin}/`, html: resource.text,
      ui: resource._meta?.ui ?? {}, result: result ?? (await client.callTool({ name: tool, arguments: args })),
      capabilities: capabilities ?? { serverTools: {}, serverResources: {}, message: {} },
    };
    page = await tab.newPage();
    await page.setViewportSize({ width, height: 900 });
    [requests, errors] = [[], []];
    page.on("request", (request) => request.frame().parentFrame()?.parentFrame() && requests.push(request.url().slice(0, 200)));
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text().slice(0, 300)));
    await page.goto(hostOrigin);
    await page.waitForFunction(() => window.seen?.sent, null, TIMEOUT);
    await commands.until({ script: "!document.querySelector('#wait')" });
    return { answer: opened.result, mimeType: resource.mimeType, ui: opened.ui, flat: listed._meta["ui/resourceUri"] };
  },
  evaluate: ({ script }) => view().evaluate(script),
  // Not waitForFunction, which the policy of the frame forbids to evaluate a text.
  async until({ script }) {
    for (let tries = 0; tries < 600; tries++) {
      if (await view().evaluate(script)) return true;
      await page.waitForTimeout(50);
    }
    throw new Error(`never true: ${script}`);
  },
  async click({ selector }) {
    const target = view().locator(selector).first();
    await target.waitFor(TIMEOUT);
    // The frame follows the height of its content; a click while it moves would miss.
    for (let before = "", same = 0, tries = 0; same < 3 && tries < 200; tries++) {
      const now = JSON.stringify(await target.boundingBox());
      same = now === before ? same + 1 : 0;
      before = now;
      await page.waitForTimeout(50);
    }
    await target.click(TIMEOUT);
  },
  press: ({ key }) => page.keyboard.press(key),
  host: ({ script }) => page.evaluate(script),
  hostUntil: ({ script }) => page.waitForFunction(script, null, TIMEOUT).then(() => true),
  accessible: ({ selector }) => view().locator(selector).ariaSnapshot(TIMEOUT),
  noticed: () => ({ requests: requests.filter((url) => !url.startsWith("data:audio/mpeg") && url !== "about:srcdoc"), errors }),
  async shot({ file }) {
    await page.waitForTimeout(500); // for the frames to follow; only pictures for the documentation depend on it
    const height = await page.evaluate(() => document.querySelector("iframe").getBoundingClientRect().height);
    await page.setViewportSize({ width: opened.width, height: Math.ceil(height) });
    await page.waitForTimeout(500);
    await page.screenshot({ path: file });
  },
};
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { command, ...parameters } = JSON.parse(line);
  let answer;
  try { answer = { value: (await commands[command](parameters)) ?? null }; } catch (error) { answer = { error: error.message }; }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
process.exit(0);
