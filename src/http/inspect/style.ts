/** The look of the page. Every colour of a state is `--c`, set by `data-state`. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --back: #f3f4f7; --panel: #ffffff; --raised: #f8f9fb; --line: #e2e5eb; --line-strong: #cbd0da;
  --text: #171b24; --dim: #5d6678; --faint: #8b93a3; --accent: #3757e0; --edge: #98a1b3;
  --green: #12924f; --blue: #2f6fe4; --amber: #c27803; --red: #d92d3a; --grey: #7b8496; --violet: #7a56d8;
  --shadow: 0 1px 2px rgb(20 25 40 / 5%), 0 4px 16px rgb(20 25 40 / 4%);
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0c0f14; --panel: #141821; --raised: #1a1f2a; --line: #252b37; --line-strong: #3a4252;
    --text: #e7eaf0; --dim: #9aa3b5; --faint: #6f788a; --accent: #8ea6ff; --edge: #5c667a;
    --green: #3ecf85; --blue: #6ea3ff; --amber: #f0b13e; --red: #ff6b74; --grey: #8a93a5; --violet: #b196ff;
    --shadow: 0 1px 2px rgb(0 0 0 / 30%), 0 6px 20px rgb(0 0 0 / 25%);
  }
}
[data-state] { --c: var(--violet); }
[data-state=""], [data-state="idle"], [data-state="stopped"], [data-state="done"], [data-state="booting"] { --c: var(--grey); }
[data-state="starting"] { --c: var(--blue); }
[data-state="connected"], [data-state="running"], [data-state="active"] { --c: var(--green); }
[data-state="error"] { --c: var(--red); }
[data-state="retrying"], [data-state="draining"] { --c: var(--amber); }

* { box-sizing: border-box; }
[hidden] { display: none !important; }
html, body { height: 100%; margin: 0; }
body { display: flex; flex-direction: column; background: var(--back); color: var(--text); font: 14px/1.45 var(--sans); -webkit-font-smoothing: antialiased; }
button, select, input { font: inherit; color: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

header { display: flex; flex-wrap: wrap; align-items: center; gap: 10px 14px; padding: 12px 20px; background: var(--panel); border-bottom: 1px solid var(--line); }
.brand { display: flex; align-items: center; gap: 9px; font-weight: 650; font-size: 15px; letter-spacing: -0.01em; }
.brand svg { width: 22px; height: 22px; color: var(--accent); }
.brand span { color: var(--dim); font-weight: 450; }
.phase { padding: 2px 10px; border-radius: 99px; border: 1px solid var(--line-strong); font-size: 12.5px; font-weight: 550; color: var(--dim); }
.phase[data-phase="running"] { color: var(--green); border-color: color-mix(in srgb, var(--green) 40%, transparent); background: color-mix(in srgb, var(--green) 9%, transparent); }
.phase[data-phase="draining"], .phase[data-phase="stopping"] { color: var(--amber); border-color: color-mix(in srgb, var(--amber) 45%, transparent); background: color-mix(in srgb, var(--amber) 10%, transparent); }
#counts { display: flex; flex-wrap: wrap; gap: 6px; }
.chip { display: inline-flex; align-items: center; gap: 6px; padding: 2px 10px 2px 8px; border: 1px solid transparent; border-radius: 99px; background: var(--raised); font-size: 12.5px; color: var(--dim); }
.chip b { color: var(--text); font-variant-numeric: tabular-nums; }
.chip:hover { border-color: var(--line-strong); }
.chip[aria-pressed="true"] { border-color: var(--c); background: color-mix(in srgb, var(--c) 12%, transparent); }
.spacer { flex: 1; }
.away-link { color: var(--accent); text-decoration: none; font-size: 13px; }
.away-link:hover { text-decoration: underline; }
.link { display: inline-flex; align-items: center; gap: 7px; font-size: 12.5px; color: var(--dim); font-variant-numeric: tabular-nums; }
.link::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: var(--amber); }
.link[data-link="live"]::before { background: var(--green); animation: breathe 2.4s ease-in-out infinite; }
.link[data-link="waiting"], .link[data-link="refused"] { color: var(--red); }
.link[data-link="waiting"]::before, .link[data-link="refused"]::before { background: var(--red); }
@keyframes breathe { 50% { box-shadow: 0 0 0 4px color-mix(in srgb, var(--green) 22%, transparent); } }

main { flex: 1; min-height: 0; display: grid; grid-template-columns: 240px minmax(0, 1fr) clamp(400px, 30vw, 560px); gap: 14px; padding: 14px; }
.panel { display: flex; flex-direction: column; min-height: 0; min-width: 0; background: var(--panel); border: 1px solid var(--line); border-radius: 14px; box-shadow: var(--shadow); overflow: hidden; transition: opacity 0.3s; }
.away .panel { opacity: 0.6; }
.panel-head { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 10px; min-height: 48px; padding: 9px 16px; border-bottom: 1px solid var(--line); }
h2 { margin: 0; font-size: 13px; font-weight: 620; letter-spacing: 0.01em; }
.hint { margin: 0; padding: 18px; color: var(--dim); text-align: center; font-size: 13px; }

#tree { padding: 8px; overflow: auto; flex: 1; }
#search { width: 100%; padding: 6px 10px; border: 1px solid var(--line); border-radius: 8px; background: var(--raised); }
.actor { position: relative; display: flex; align-items: flex-start; gap: 11px; width: 100%; padding: 8px 10px; border: 0; border-radius: 9px; background: none; text-align: left; transition: background 0.15s; }
.actor:hover { background: var(--raised); }
.actor.selected { background: color-mix(in srgb, var(--accent) 11%, transparent); }
.actor.ended { opacity: 0.55; }
.actor[data-kind="backend"] { padding-left: 26px; }
.actor[data-kind="child"] { padding: 3px 10px 3px 50px; gap: 8px; font-size: 12.5px; color: var(--dim); }
.actor[data-kind="child"] .dot { width: 6px; height: 6px; margin-top: 6px; }
.actor[data-kind="child"] .lines { flex-direction: row; gap: 8px; align-items: baseline; }
.actor[data-kind="child"] .title { font-weight: 450; }
.actor[data-kind="child"] .word { display: none; }
.dot { flex: none; width: 10px; height: 10px; margin-top: 5px; border-radius: 50%; background: var(--c, var(--grey)); transition: background 0.25s; }
.chip .dot { width: 8px; height: 8px; margin: 0; }
.actor[data-kind="backend"][data-state="starting"] .dot, .actor[data-kind="backend"][data-state="retrying"] .dot { animation: pulse 1.3s ease-in-out infinite; }
.actor[data-kind="backend"][data-state="error"] .dot { box-shadow: 0 0 0 4px color-mix(in srgb, var(--red) 25%, transparent); }
@keyframes pulse { 50% { box-shadow: 0 0 0 5px color-mix(in srgb, var(--c) 26%, transparent); } }
.lines { display: flex; flex-direction: column; min-width: 0; flex: 1; }
.upper, .lower { display: flex; gap: 8px; align-items: baseline; min-width: 0; }
.title { font-weight: 570; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.badge:not(:empty) { flex: none; padding: 0 6px; border-radius: 5px; background: var(--raised); border: 1px solid var(--line); color: var(--dim); font-size: 10.5px; }
.lower { font-size: 12px; color: var(--dim); }
.word { color: var(--c); font-weight: 550; }
.time { color: var(--faint); font-variant-numeric: tabular-nums; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }

.chart-head h2 { font-size: 16px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
.pill { padding: 2px 10px; border-radius: 99px; font-size: 12.5px; font-weight: 600; color: var(--c); background: color-mix(in srgb, var(--c) 13%, transparent); transition: color 0.2s, background 0.2s; }
.kind { color: var(--faint); font-size: 12.5px; }
#chart { flex: 1; min-height: 200px; display: flex; align-items: center; justify-content: safe center; padding: 14px; overflow: auto; background-image: radial-gradient(var(--line) 1px, transparent 1px); background-size: 20px 20px; background-position: -9px -9px; }
#chart svg { flex: none; width: 100%; min-width: 560px; height: auto; max-height: 100%; overflow: visible; }
#chart .hint { max-width: 380px; background: var(--panel); border-radius: 12px; }
svg text { font-family: var(--sans); fill: var(--text); }
.middle { text-anchor: middle; }
.frame { fill: none; stroke: var(--line-strong); stroke-dasharray: 3 6; stroke-linecap: round; }
.shape { fill: var(--panel); stroke: var(--line-strong); stroke-width: 1.4; transition: fill 0.25s, stroke 0.25s; }
.compound > .shape { fill: var(--raised); }
.final { fill: none; stroke: var(--line-strong); stroke-width: 1; }
.name { font-size: 13.5px; font-weight: 600; }
.note { font-size: 11.5px; }
svg .note { fill: var(--faint); }
.box.on > .shape { stroke: var(--c); stroke-width: 2.4; fill: color-mix(in srgb, var(--c) 14%, var(--panel)); filter: drop-shadow(0 0 9px color-mix(in srgb, var(--c) 34%, transparent)); }
.box.compound.on > .shape { fill: color-mix(in srgb, var(--c) 6%, var(--panel)); filter: none; }
.box.on > .final { stroke: var(--c); }
.box.on > .name { fill: color-mix(in srgb, var(--c) 78%, var(--text)); }
.begin { fill: var(--edge); }
.begin-line { stroke: var(--edge); stroke-width: 1.5; }
.edge { --c: var(--violet); color: var(--edge); }
.edge .line { fill: none; stroke: currentColor; stroke-width: 1.5; transition: stroke 0.3s; }
.edge .tip { fill: currentColor; }
.edge.last { color: var(--text); }
.edge.last .line { stroke-width: 2.2; }
.edge.fired { color: var(--accent); }
.edge.fired .line { stroke-width: 2.6; }
svg .edge-label text { font-size: 11.5px; font-weight: 500; fill: var(--dim); }
.edge-label rect { fill: color-mix(in srgb, var(--panel) 88%, transparent); }
svg .edge-label.last text { fill: var(--text); font-weight: 620; }
.spark { opacity: 0; fill: var(--c, var(--accent)); stroke: var(--panel); stroke-width: 1.5; }
.spark.on { opacity: 1; filter: drop-shadow(0 0 6px var(--c)); }

#facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 12px 18px; margin: 0; padding: 14px 18px 16px; border-top: 1px solid var(--line); }
#facts .wide { grid-column: 1 / -1; }
dt { color: var(--faint); font-size: 11.5px; }
dd { margin: 0; font-weight: 520; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.wide dd { font-weight: 450; max-height: 6.2em; overflow: auto; }
.wide code:not(:empty) { margin-left: 8px; padding: 1px 6px; border-radius: 5px; font: 11.5px var(--mono); color: var(--red); background: color-mix(in srgb, var(--red) 10%, transparent); }

.controls { display: flex; align-items: center; gap: 8px; margin-left: auto; font-size: 12.5px; }
.controls select, .controls button { padding: 4px 9px; border: 1px solid var(--line-strong); border-radius: 7px; background: var(--panel); }
.controls select { max-width: 132px; }
.controls button { white-space: nowrap; }
.controls button[aria-pressed="true"] { color: var(--amber); border-color: var(--amber); }
.controls label { display: inline-flex; align-items: center; gap: 5px; color: var(--dim); white-space: nowrap; }
#rows { list-style: none; margin: 0; padding: 0; overflow: auto; flex: 1; font-size: 12px; display: grid; align-content: start; grid-template-columns: max-content fit-content(110px) minmax(60px, 1fr) max-content; column-gap: 11px; }
.row { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; align-items: baseline; padding: 5px 16px; border-bottom: 1px solid color-mix(in srgb, var(--line) 60%, transparent); cursor: pointer; }
.row.new { animation: arrive 0.9s ease-out; }
.row:hover { background: var(--raised); }
@keyframes arrive { from { background: color-mix(in srgb, var(--accent) 16%, transparent); } }
.row time { font: 10.5px var(--mono); color: var(--faint); }
.who { font-weight: 560; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.event { font: 11.5px var(--mono); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.after { justify-self: end; color: var(--c, var(--dim)); font-weight: 600; white-space: nowrap; }
.after::before { content: "→ "; color: var(--faint); font-weight: 400; }
.row.same .after { color: var(--faint); font-weight: 400; }
.row.same .after::before { content: "= "; }

@media (max-width: 760px), (min-width: 1181px) and (max-width: 1380px) {
  #rows { grid-template-columns: max-content minmax(0, 1fr) max-content; }
  .row .event { grid-column: 2 / -1; grid-row: 2; }
  .row .after { grid-row: 1; grid-column: 3; }
}
@media (min-width: 1181px) and (max-width: 1380px) {
  main { grid-template-columns: 212px minmax(0, 1fr) 350px; }
}
@media (max-width: 1180px) {
  main { grid-template-columns: 240px minmax(0, 1fr); grid-template-rows: minmax(620px, 1fr) minmax(260px, 34vh); overflow: auto; }
  .sequence { grid-column: 1 / -1; }
}
@media (max-width: 760px) {
  body { height: auto; }
  header { padding: 10px 14px; }
  main { display: flex; flex-direction: column; padding: 10px; }
  .panel { flex: none; overflow: visible; }
  #tree { max-height: 46vh; }
  #chart { justify-content: flex-start; }
  #rows { max-height: 60vh; }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before { animation: none !important; transition: none !important; }
}
`;
