/** `<talk-button>`: takes presses, steps the state, lets a `Call` carry out the effects. */

import { Call } from './call.js';
import { resolveEndpoint } from './endpoint.js';
import type { Caption } from './signals.js';
import { SiteWatch } from './site.js';
import { IDLE, step, type CallEffect, type CallInput, type CallState, type SiteGate } from './state.js';
import { applyStyles } from './styles.js';
import { ENGLISH, pickTexts, type Texts } from './texts.js';
import { View } from './view.js';

const METER_EVERY_MS = 80;
/** Nobody watches a longer countdown; the words say when to come back. */
const RETRY_SHOWN_MAX_S = 3_600;

const TABLES = new Map<string, Texts>([['en', ENGLISH]]);

/**
 * A button that starts, shows and ends one voice call.
 *
 * @attr {string} endpoint - Address of the edge; default: the origin the script came from.
 * @attr {string} site - Name of the site in the edge's settings; default: `default`.
 * @attr {string} label - Words on the button that starts a call.
 * @attr {string} lang - Language of the words, where a table for it was added.
 * @attr {string} state - Read-only; a `CallState['name']`. Style with `talk-button[state=in-call]`.
 * @fires talkbutton-statechange - `detail` is the new `CallState`. Composed; bubbles.
 * @fires talkbutton-caption - `detail` is a `Caption`. Composed; bubbles.
 * @csspart panel - Everything but the sound.
 * @csspart button - Starts and ends the call.
 * @csspart mute - Switches the microphone off and on.
 * @csspart dismiss - Puts an ended call away.
 * @csspart captions - The log of what was said; its lines are `caption`, and
 *   `caption-visitor` or `caption-bot`.
 */
export class TalkButton extends HTMLElement {
  static readonly observedAttributes = ['label', 'lang'];

  /** Add or replace the words of a language, such as `de`. */
  static addTexts(language: string, texts: Texts): void {
    TABLES.set(language.toLowerCase(), texts);
  }

  #state: CallState = IDLE;
  #call: Call | null = null;
  #remoteStream: MediaStream | null = null;
  #isSoundBlocked = false;
  #lengthMs: number | null = null;
  #retryAtMs: number | null = null;
  #site: SiteWatch | null = null;
  #pulse: ReturnType<typeof setInterval> | null = null;
  readonly #audio = document.createElement('audio');
  readonly #view = new View({
    onMain: () => this.press(),
    onMute: () => this.#take({ type: 'mute-press' }),
    onDismiss: () => this.#take({ type: 'dismiss' }),
    onAgree: () => this.#take({ type: 'agree' }),
    onDecline: () => this.#take({ type: 'decline' }),
  });
  readonly #leave = (): void => this.#take({ type: 'removed' });
  readonly #unblock = (): void => this.#playSound();

  /** What is heard of the bot in this call, or null: for a page that measures or records. */
  get remoteStream(): MediaStream | null {
    return this.#remoteStream;
  }

  /** The state as a value; the `state` attribute holds its name. */
  get callState(): CallState {
    return this.#state;
  }

  connectedCallback(): void {
    if (!this.shadowRoot) {
      const root = this.attachShadow({ mode: 'open', delegatesFocus: true });
      applyStyles(root);
      this.#audio.autoplay = true;
      root.append(this.#view.node, this.#audio);
      for (const approach of ['pointerenter', 'pointerdown', 'focusin']) {
        this.addEventListener(approach, () => this.#askSite());
      }
    }
    this.#askSite();
    window.addEventListener('pagehide', this.#leave);
    this.#render();
  }

  /** A node that is only moved is connected again before the microtask runs. */
  disconnectedCallback(): void {
    queueMicrotask(() => {
      if (this.isConnected) return;
      window.removeEventListener('pagehide', this.#leave);
      this.#leave();
    });
  }

  attributeChangedCallback(): void {
    if (this.shadowRoot) this.#render();
  }

  /** Do what a press on the button does. Call it inside a click of the visitor's. */
  press(): void {
    const gate = this.#watch()?.gate(performance.now());
    this.#take({ type: 'press', ...(gate ? { gate } : {}) });
  }

  #take(input: CallInput): void {
    const before = this.#state;
    const [next, effects] = step(before, input);
    this.#state = next;
    if ('sinceMs' in before && next.name === 'ended') {
      this.#lengthMs = performance.now() - before.sinceMs;
    }
    for (const effect of effects) this.#carryOut(effect);
    if (next === before) return;
    const retryAfterS = next.name === 'ended' ? next.reason.retryAfterS : undefined;
    const isNear = retryAfterS !== undefined && retryAfterS <= RETRY_SHOWN_MAX_S;
    this.#retryAtMs = isNear ? performance.now() + retryAfterS * 1000 : null;
    if (next.name === 'ended' && next.reason.code === 'consent-missing') this.#site?.forget();
    this.#setPulse('sinceMs' in next || isNear);
    this.#render();
    // How far the session or the answer is stays inside; whether the microphone is off does not.
    if (next.name !== before.name || 'isMuted' in next) this.#tell('talkbutton-statechange', next);
  }

  #carryOut(effect: CallEffect): void {
    switch (effect.type) {
      case 'check-site':
        return void this.#askSite()?.then((gate) => this.#take({ type: 'site-checked', gate }));
      case 'ask-for-microphone':
        this.#call = this.#newCall(effect.hasConsent);
        return void this.#call?.askForMicrophone();
      case 'open-session':
        return void this.#call?.openSession();
      case 'start-call':
        return this.#call?.startCall();
      case 'set-muted':
        return this.#call?.setMuted(effect.isMuted);
      case 'arm':
        return this.#call?.arm(effect.afterMs);
      case 'disarm':
        return this.#call?.disarm();
      case 'hang-up':
        this.#call?.hangUp(effect.bye);
        this.#call = null;
        this.#setRemoteStream(null);
    }
  }

  get #place(): { readonly endpoint: string; readonly site: string } | null {
    const endpoint = resolveEndpoint(this.getAttribute('endpoint'));
    return endpoint === null ? null : { endpoint, site: this.getAttribute('site') ?? 'default' };
  }

  /** Return what is known of the site that the attributes name now; null where they make none. */
  #watch(): SiteWatch | null {
    const place = this.#place;
    if (!place) return null;
    if (this.#site?.key !== SiteWatch.keyOf(place.endpoint, place.site)) {
      this.#site = new SiteWatch(place.endpoint, place.site);
    }
    return this.#site;
  }

  #askSite(): Promise<SiteGate> | null {
    return this.#watch()?.ask(performance.now()) ?? null;
  }

  #newCall(hasConsent: boolean): Call | null {
    this.#lengthMs = null;
    this.#view.captions.clear();
    const place = this.#place;
    if (!place) {
      const reason = { code: 'misconfigured', detail: null } as const;
      queueMicrotask(() => this.#take({ type: 'over', reason }));
      return null;
    }
    return new Call(
      { ...place, hasConsent, host: this },
      {
        take: (input) => this.#take(input),
        onCaption: (caption) => this.#showCaption(caption),
        onRemoteStream: (stream) => this.#setRemoteStream(stream),
      },
    );
  }

  #showCaption(caption: Caption): void {
    this.#view.captions.show(caption, this.#texts()[1]);
    this.#tell('talkbutton-caption', caption);
  }

  #setRemoteStream(stream: MediaStream | null): void {
    this.#remoteStream = stream;
    this.#audio.srcObject = stream;
    this.#setSoundBlocked(false);
    if (stream) this.#playSound();
  }

  /** A browser that refuses to play without a gesture gets one: the next press anywhere. */
  #playSound(): void {
    this.#call?.resumeAudio();
    const stream = this.#remoteStream;
    this.#audio.play().then(
      () => this.#setSoundBlocked(false),
      (error: unknown) => {
        const isBlocked = error instanceof DOMException && error.name === 'NotAllowedError';
        if (isBlocked && stream === this.#remoteStream) this.#setSoundBlocked(true);
      },
    );
  }

  #setSoundBlocked(isBlocked: boolean): void {
    if (isBlocked === this.#isSoundBlocked) return;
    this.#isSoundBlocked = isBlocked;
    for (const gesture of ['pointerdown', 'keydown']) {
      if (isBlocked) window.addEventListener(gesture, this.#unblock);
      else window.removeEventListener(gesture, this.#unblock);
    }
    this.#render();
  }

  /** The timer and the meter beat only while there is something to show. */
  #setPulse(isOn: boolean): void {
    if (isOn === (this.#pulse !== null)) return;
    if (this.#pulse !== null) clearInterval(this.#pulse);
    this.#pulse = isOn ? setInterval(() => this.#beat(), METER_EVERY_MS) : null;
    if (isOn) this.#beat();
  }

  #beat(): void {
    if (this.#retryAtMs !== null) return this.#countDown(this.#retryAtMs - performance.now());
    if (!('sinceMs' in this.#state) || !this.#call) return;
    const { isMuted, sinceMs, endsAtMs } = this.#state;
    const levels = this.#call.levels();
    const nowMs = performance.now();
    this.#view.showLength(endsAtMs === undefined ? nowMs - sinceMs : endsAtMs - nowMs);
    this.#view.showLevels(isMuted ? { ...levels, visitor: 0 } : levels);
  }

  #countDown(leftMs: number): void {
    this.#view.showRetry(Math.max(0, leftMs), this.#texts()[1]);
    if (leftMs <= 0) this.#setPulse(false);
  }

  #texts(): readonly [language: string, texts: Texts] {
    const wanted = this.closest('[lang]')?.getAttribute('lang');
    return pickTexts(wanted ? [wanted] : navigator.languages, TABLES);
  }

  #render(): void {
    const [language, texts] = this.#texts();
    this.setAttribute('state', this.#state.name);
    this.#view.node.lang = language;
    this.#view.show({
      state: this.#state,
      texts,
      label: this.getAttribute('label') ?? texts.label,
      lengthMs: this.#lengthMs,
      isSoundBlocked: this.#isSoundBlocked,
    });
  }

  #tell(type: 'talkbutton-statechange' | 'talkbutton-caption', detail: CallState | Caption): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

/** Define the element once; safe to call twice and from a bundle loaded twice. */
export function defineTalkButton(tag = 'talk-button'): void {
  if (!customElements.get(tag)) customElements.define(tag, TalkButton);
}
