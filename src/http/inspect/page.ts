import { CHART } from './chart.ts';
import { LAYOUT } from './layout.ts';
import { MODEL } from './model.ts';
import { PANELS } from './panels.ts';
import { STREAM } from './stream.ts';
import { STYLE } from './style.ts';

/** The hosted inspector: what the bridge frames, and the only origin that its events go to. */
export const STATELY_ORIGIN = 'https://stately.ai';

/** What runs in the page. */
export const PAGE_SCRIPT = [STREAM, MODEL, LAYOUT, CHART, PANELS].join('');

const LOGO = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" aria-hidden="true"><circle cx="12" cy="12" r="3.2" fill="currentColor" stroke="none"/><path d="M12 8.8V3.5M14.9 13.6l4.5 2.7M9.1 13.6l-4.5 2.7"/><circle cx="12" cy="12" r="9.2" stroke-opacity=".35"/></svg>`;

const head = (nonce: string, title: string, style: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Ccircle cx='12' cy='12' r='9' fill='none' stroke='%235b78f0' stroke-width='2.4'/%3E%3Ccircle cx='12' cy='12' r='4' fill='%235b78f0'/%3E%3C/svg%3E">
<style nonce="${nonce}">${style}</style>
</head>`;

/**
 * The page: actors, the chart of one of them, the sequence of events. It needs nothing from outside and holds no data; that
 * comes from `inspect/events`.
 */
export const inspectPage = ({ nonce, stately }: { nonce: string; stately: boolean }): string => `${head(nonce, 'onemcp', STYLE)}
<body class="away">
<header>
  <div class="brand">${LOGO}onemcp <span>inspect</span></div>
  <div class="phase" id="phase" title="Phase of the gateway">…</div>
  <div id="counts" aria-label="Backends by state"></div>
  <div class="spacer"></div>
  ${stately ? '<a class="away-link" id="to-stately" href="#">Hosted inspector ↗</a>' : ''}
  <div class="link" id="link" role="status" data-link="connecting">connecting…</div>
</header>
<main>
  <nav class="panel" aria-label="Actors">
    <div class="panel-head"><h2>Actors</h2><input id="search" type="search" placeholder="Find a backend" aria-label="Find a backend" hidden></div>
    <div id="tree"></div>
    <p class="hint" id="none" hidden>No backend matches.</p>
    <p class="hint" id="empty" hidden>No backends are configured.</p>
  </nav>
  <section class="panel" aria-label="State chart">
    <div class="panel-head chart-head"><h2 id="chart-title">…</h2><span class="pill" id="chart-state" data-state=""></span><span class="kind" id="chart-kind"></span></div>
    <div id="chart"></div>
    <dl id="facts"></dl>
  </section>
  <section class="panel sequence" aria-label="Events">
    <div class="panel-head"><h2>Events</h2>
      <div class="controls">
        <label title="Also the inner life of xstate: snapshots, invoked tasks"><input type="checkbox" id="inner"> internals</label>
        <select id="scope" aria-label="Events of"></select>
        <button type="button" id="pause" aria-pressed="false">Pause</button>
      </div>
    </div>
    <ol id="rows" reversed></ol>
    <p class="hint" id="no-rows">Nothing has happened yet.</p>
  </section>
</main>
<script nonce="${nonce}" type="module">${PAGE_SCRIPT}${stately ? TO_STATELY : ''}</script>
</body>
</html>
`;

const TO_STATELY = `document.getElementById('to-stately').href = 'inspect/stately' + location.search;\n`;

const MESSAGE_STYLE = `:root { color-scheme: light dark; } body { margin: 0; min-height: 100vh; display: grid; place-content: center; font: 15px/1.6 system-ui, sans-serif; }
main { max-width: 460px; padding: 24px; } h1 { margin: 0 0 8px; font-size: 19px; } p { margin: 0; opacity: .75; }`;

/** A page that says one thing. */
export const messagePage = ({ nonce, title, text }: { nonce: string; title: string; text: string }): string =>
  `${head(nonce, `${title} · onemcp`, MESSAGE_STYLE)}\n<body><main><h1>${title}</h1><p>${text}</p></main></body>\n</html>\n`;

const STATELY_STYLE = `:root { color-scheme: light dark; } html, body { height: 100%; margin: 0; } body { display: flex; flex-direction: column; font: 13px system-ui, sans-serif; }
header { display: flex; gap: 8px 16px; flex-wrap: wrap; padding: 8px 16px; } #link { margin-left: auto; opacity: .75; } iframe { flex: 1; width: 100%; border: 0; }`;

/** What runs in the bridge. The protocol is the one of `createBrowserReceiver` in @statelyai/inspect. */
const STATELY_SCRIPT = `
const frame = document.getElementById('frame');
const link = document.getElementById('link');
const MOST_KEPT = 5000;
let kept = [];
let ready = false;
const post = (message) => frame.contentWindow.postMessage(message, '${STATELY_ORIGIN}');
addEventListener('message', (event) => {
  if (event.origin !== '${STATELY_ORIGIN}' || event.source !== frame.contentWindow || event.data?.type !== '@statelyai.connected') return;
  ready = true;
  kept.forEach(post);
});
document.getElementById('own').href = '../inspect' + location.search;
follow(
  'events',
  (message) => {
    if (message.type === '@onemcp.hello') kept = [];
    if (!message.type.startsWith('@xstate.')) return;
    kept.push(message);
    if (kept.length > MOST_KEPT) kept.splice(MOST_KEPT / 2, 1);
    if (ready) post(message);
  },
  (state, seconds) => {
    link.textContent = { connecting: 'connecting…', live: 'live', refused: 'the link is no longer valid', waiting: 'trying again in ' + seconds + ' s' }[state];
  },
);
`;

/** Frames the hosted inspector and posts the events to it. */
export const statelyPage = (nonce: string): string => `${head(nonce, 'onemcp · Stately inspector', STATELY_STYLE)}
<body>
<header><span>States, event types, server names and last errors of this gateway go to the page of ${STATELY_ORIGIN} below.</span><a id="own" href="#">onemcp's own page</a><span id="link" role="status"></span></header>
<iframe id="frame" title="Stately inspector" src="${STATELY_ORIGIN}/inspect" referrerpolicy="no-referrer" allow="clipboard-write"></iframe>
<script nonce="${nonce}" type="module">${STREAM}${STATELY_SCRIPT}</script>
</body>
</html>
`;
