/**
 * The look. Constructed, so that it works under a Content-Security-Policy that forbids inline
 * styles. Colours follow the page's own `color-scheme`, and every one can be set from outside.
 */

const CSS = `
:host {
  --_accent: var(--talkbutton-accent, #0f6b5c);
  --_on-accent: var(--talkbutton-on-accent, #ffffff);
  --_surface: var(--talkbutton-surface, #ffffff);
  --_sunken: var(--talkbutton-sunken, #f1f5f3);
  --_text: var(--talkbutton-text, #17211e);
  --_soft: var(--talkbutton-soft, #52605b);
  --_line: var(--talkbutton-line, #d9e1de);
  --_danger: var(--talkbutton-danger, #b3261e);
  --_on-danger: var(--talkbutton-on-danger, #ffffff);
  --_warning: var(--talkbutton-warning, #8a5300);
  --_radius: var(--talkbutton-radius, 1.25rem);
  --_control: calc(var(--_radius) * 0.8);
  display: inline-block;
  max-width: 100%;
  color: var(--_text);
  font: var(--talkbutton-font, 400 1rem/1.45 system-ui, sans-serif);
  text-align: start;
}
@supports (color: light-dark(#000, #fff)) {
  :host {
    --_accent: var(--talkbutton-accent, light-dark(#0f6b5c, #5fd6bd));
    --_on-accent: var(--talkbutton-on-accent, light-dark(#ffffff, #06251f));
    --_surface: var(--talkbutton-surface, light-dark(#ffffff, #1b2422));
    --_sunken: var(--talkbutton-sunken, light-dark(#f1f5f3, #131a18));
    --_text: var(--talkbutton-text, light-dark(#17211e, #eaf1ee));
    --_soft: var(--talkbutton-soft, light-dark(#52605b, #a6b5b0));
    --_line: var(--talkbutton-line, light-dark(#d9e1de, #33403c));
    --_danger: var(--talkbutton-danger, light-dark(#b3261e, #ff9c92));
    --_on-danger: var(--talkbutton-on-danger, light-dark(#ffffff, #3b0906));
    --_warning: var(--talkbutton-warning, light-dark(#8a5300, #f5c26b));
  }
}
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; margin: 0; }
:host(:not([state=idle])) { display: block; }
.panel { display: grid; gap: 0.9rem; }
:host(:not([state=idle])) .panel {
  width: min(var(--talkbutton-width, 23rem), 100%);
  padding: 1.1rem;
  background: var(--_surface);
  border: 1px solid var(--_line);
  border-radius: var(--_radius);
}
svg {
  width: 1.25em; height: 1.25em; flex: none;
  fill: none; stroke: currentColor; stroke-width: 1.9; stroke-linecap: round; stroke-linejoin: round;
}
button {
  display: inline-flex; align-items: center; justify-content: center; gap: 0.55em;
  min-height: 3rem; padding: 0.5em 0.9em; white-space: nowrap;
  border: 1px solid transparent; border-radius: var(--_control);
  font: inherit; font-weight: 600; color: inherit; background: none;
  cursor: pointer; -webkit-tap-highlight-color: transparent;
  transition: background-color 0.15s, border-color 0.15s, transform 0.1s;
}
button:active { transform: scale(0.98); }
button:focus-visible, .captions:focus-visible {
  outline: 3px solid var(--_accent); outline-offset: 2px;
}
.main, .agree { background: var(--_accent); color: var(--_on-accent); width: 100%; }
.main:hover, .agree:hover { background: color-mix(in srgb, var(--_accent) 88%, var(--_text)); }
:host(:is([state=checking], [state=asking], [state=connecting], [state=ringing])) .main, .decline {
  background: none; color: var(--_text); border-color: var(--_line);
}
:host(:is([state=checking], [state=asking], [state=connecting], [state=ringing])) .main:hover,
.mute:hover, .decline:hover { background: var(--_sunken); }
:host(:is([state=in-call], [state=reconnecting])) .main {
  background: var(--_danger); color: var(--_on-danger);
}
:host(:is([state=in-call], [state=reconnecting])) .main:hover {
  background: color-mix(in srgb, var(--_danger) 88%, var(--_text));
}
.controls { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); gap: 0.6rem; }
.mute { border-color: var(--_line); }
.mute[data-on] { color: var(--_warning); border-color: currentColor; }
.head { display: flex; align-items: flex-start; gap: 0.8rem; }
.badge {
  display: grid; place-items: center; flex: none; width: 2.6rem; height: 2.6rem;
  border-radius: 50%; position: relative;
  color: var(--_accent); background: color-mix(in srgb, var(--_accent) 13%, var(--_surface));
}
.badge.failure { color: var(--_warning); background: color-mix(in srgb, var(--_warning) 14%, var(--_surface)); }
.badge.waiting::after {
  content: ''; position: absolute; inset: -3px; border-radius: 50%;
  border: 2.5px solid transparent; border-top-color: var(--_accent);
  animation: turn 0.9s linear infinite;
}
.badge.ringing::after {
  content: ''; position: absolute; inset: 0; border-radius: 50%;
  border: 2px solid var(--_accent); animation: ring 1.5s ease-out infinite;
}
.column { flex: 1; min-width: 0; align-self: center; }
.retry { font-size: 0.92em; font-weight: 600; font-variant-numeric: tabular-nums; margin-top: 0.35rem; }
.consent { display: grid; gap: 0.6rem; outline: none; }
.consent-text {
  padding: 0.75rem 0.9rem; border-radius: var(--_control); background: var(--_sunken);
  max-height: 14rem; overflow-y: auto; overflow-wrap: anywhere; white-space: pre-line;
}
.title { font-weight: 650; font-size: 1.05em; line-height: 1.3; overflow-wrap: anywhere; }
.advice { color: var(--_soft); font-size: 0.92em; margin-top: 0.15rem; overflow-wrap: anywhere; }
.timer {
  font-variant-numeric: tabular-nums; font-weight: 600; font-size: 0.92em; line-height: 1;
  padding: 0.45em 0.7em; border-radius: 99px; background: var(--_sunken);
}
.timer.ending { color: var(--_warning); background: color-mix(in srgb, var(--_warning) 14%, var(--_surface)); }
.dismiss { min-height: 2rem; width: 2rem; padding: 0; border-radius: 50%; color: var(--_soft); margin: -0.2rem -0.3rem 0 0; }
.dismiss:hover { background: var(--_sunken); }
.meter { display: grid; grid-template-columns: minmax(0, 0.85fr) minmax(0, 1.15fr); gap: 0.6rem; }
.side {
  --level: 0;
  display: flex; align-items: center; gap: 0.5rem; padding: 0.55rem 0.75rem;
  border-radius: var(--_control); background: var(--_sunken);
  border: 1px solid transparent; color: var(--_soft); font-size: 0.92em;
  transition: border-color 0.2s, color 0.2s;
}
.side.speaking { color: var(--_text); border-color: var(--_accent); }
.side.off { color: var(--_warning); }
.drawing { display: grid; }
.side .name { flex: 1; font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.bars { display: flex; align-items: center; gap: 3px; height: 1.3rem; }
.bars i {
  width: 3px; height: 100%; border-radius: 2px; background: var(--_accent); opacity: 0.85;
  transform: scaleY(max(0.14, calc(var(--level) * var(--share)))); transition: transform 0.09s linear;
}
.bars i:nth-child(1), .bars i:nth-child(5) { --share: 0.5; }
.bars i:nth-child(2), .bars i:nth-child(4) { --share: 0.8; }
.bars i:nth-child(3) { --share: 1; }
.side.off .bars i { background: currentColor; }
.captions {
  display: flex; flex-direction: column; gap: 0.45rem;
  max-height: var(--talkbutton-captions-height, 14rem); overflow-y: auto;
  overscroll-behavior: contain; scrollbar-width: thin; border-radius: 0.5rem;
}
.captions[data-scrolled] { mask-image: linear-gradient(transparent, #000 1.6rem); }
.caption {
  max-width: 88%; padding: 0.5rem 0.8rem; border-radius: 1rem; font-size: 0.95em;
  overflow-wrap: anywhere; align-self: flex-start;
  background: var(--_sunken); border-end-start-radius: 0.3rem;
}
.caption.visitor {
  align-self: flex-end; border-end-start-radius: 1rem; border-end-end-radius: 0.3rem;
  background: color-mix(in srgb, var(--_accent) 15%, var(--_surface));
}
.caption.draft { color: var(--_soft); }
.speaker {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
@keyframes turn { to { transform: rotate(1turn); } }
@keyframes ring { from { transform: scale(0.95); opacity: 0.9; } to { transform: scale(1.6); opacity: 0; } }
@media (prefers-reduced-motion: reduce) {
  *, *::after { animation: none !important; transition: none !important; }
  button:active { transform: none; }
}
@media (forced-colors: active) {
  button, .side, .caption { border: 1px solid ButtonText; }
  .side.speaking { border-color: Highlight; }
  .bars i { background: CanvasText; forced-color-adjust: none; }
}
`;

/** Give the style to a shadow root; a browser without constructed sheets gets an element. */
export function applyStyles(root: ShadowRoot): void {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
  } catch {
    const style = document.createElement('style');
    style.textContent = CSS;
    root.append(style);
  }
}
