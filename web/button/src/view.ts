/**
 * What is seen, made once and then only changed, so that focus and screen readers keep their
 * place. It shows a state; what was pressed goes out through `Presses`.
 */

import { CaptionLog } from './captions.js';
import { icon, type IconName } from './icons.js';
import { SPEAKING_LEVEL, type Levels } from './level.js';
import { SLOT } from './provider.js';
import { isLive, type CallState, type EndReason } from './state.js';
import { formatLength, isFailure, isWorded, type EndText, type Texts } from './texts.js';

export interface Presses {
  readonly onMain: () => void;
  readonly onMute: () => void;
  readonly onDismiss: () => void;
  readonly onAgree: () => void;
  readonly onDecline: () => void;
}

/** What is shown: the state, and the few things that lie outside it. */
export interface Scene {
  readonly state: CallState;
  readonly texts: Texts;
  readonly label: string;
  /** How long the visitor talked, once a call that was answered has ended. */
  readonly lengthMs: number | null;
  readonly isSoundBlocked: boolean;
}

export class View {
  readonly node: HTMLElement;
  readonly captions = new CaptionLog();
  readonly #badge = box('span', 'badge');
  readonly #title = box('p', 'title', 'title');
  readonly #advice = box('p', 'advice', 'advice');
  readonly #retry = box('p', 'retry', 'retry');
  readonly #timer = box('span', 'timer', 'timer');
  readonly #dismiss = button('dismiss', 'dismiss');
  readonly #head = box('div', 'head', 'header');
  readonly #meter = box('div', 'meter', 'meter');
  readonly #visitor = new Side('person');
  readonly #bot = new Side('bot');
  readonly #consent = new Consent();
  readonly #mute = button('mute', 'mute');
  readonly #main = button('main', 'button');
  readonly #controls = box('div', 'controls', 'controls');

  constructor(presses: Presses) {
    this.node = box('section', 'panel', 'panel');
    const words = box('div', 'words', 'status');
    words.setAttribute('role', 'status');
    words.append(this.#title, this.#advice);
    // A timer's words are not announced as they change.
    this.#retry.setAttribute('role', 'timer');
    const column = box('div', 'column');
    column.append(words, this.#retry);
    this.#timer.setAttribute('role', 'timer');
    this.#badge.setAttribute('aria-hidden', 'true');
    this.#dismiss.append(icon('close'));
    this.#head.append(this.#badge, column, this.#timer, this.#dismiss);
    this.#meter.setAttribute('aria-hidden', 'true');
    this.#meter.append(this.#visitor.node, this.#bot.node);
    this.#controls.append(this.#mute, this.#main);
    const challenge = document.createElement('slot');
    challenge.name = SLOT;
    const parts = [this.#head, this.#consent.node, challenge, this.#meter, this.captions.node];
    this.node.append(...parts, this.#controls);
    // The second click of a double click must not end the call that the first one began.
    this.#main.addEventListener('click', (event) => event.detail > 1 || presses.onMain());
    this.#mute.addEventListener('click', presses.onMute);
    this.#consent.listen(presses);
    this.#dismiss.addEventListener('click', () => {
      presses.onDismiss();
      this.#main.focus();
    });
  }

  show(scene: Scene): void {
    const { state, texts } = scene;
    const isTalking = state.name === 'in-call' || state.name === 'reconnecting';
    const isMuted = isTalking && state.isMuted;
    this.node.setAttribute('aria-label', texts.region);
    this.captions.node.setAttribute('aria-label', texts.captions);
    this.#showWords(scene, isMuted);
    this.#badge.className = `badge ${badgeClass(state)}`;
    setIcon(this.#badge, badgeIcon(state));
    this.#timer.hidden = !isTalking;
    const isEnding = isTalking && state.endsAtMs !== undefined;
    this.#timer.setAttribute('aria-label', isEnding ? texts.timeLeft : texts.timer);
    this.#timer.classList.toggle('ending', isEnding);
    this.#retry.hidden = true;
    this.#dismiss.hidden = state.name !== 'ended';
    this.#dismiss.setAttribute('aria-label', texts.dismiss);
    this.#meter.hidden = !isTalking;
    this.#visitor.show(texts.visitor, isMuted);
    this.#bot.show(texts.bot, false);
    this.#mute.hidden = !isTalking;
    this.#mute.toggleAttribute('data-on', isMuted);
    setLabel(this.#mute, isMuted ? 'muted' : 'talk', isMuted ? texts.unmute : texts.mute);
    this.#controls.hidden = state.name === 'consent';
    if (this.#consent.show(state, texts)) this.#main.focus();
    setLabel(this.#main, mainIcon(state, isTalking), mainLabel(scene));
  }

  showLength(lengthMs: number): void {
    this.#timer.textContent = formatLength(lengthMs);
  }

  showRetry(leftMs: number, texts: Texts): void {
    this.#retry.hidden = false;
    const left = formatLength(Math.ceil(leftMs / 1000) * 1000);
    setText(this.#retry, leftMs > 0 ? texts.retryIn.replace('{time}', left) : texts.retryNow);
  }

  showLevels(levels: Levels): void {
    this.#visitor.showLevel(levels.visitor);
    this.#bot.showLevel(levels.bot);
  }

  #showWords(scene: Scene, isMuted: boolean): void {
    const words = wordsOf(scene);
    this.#head.hidden = words === null;
    setText(this.#title, words?.title ?? '');
    const advice = hintOf(scene, isMuted) ?? words?.advice ?? '';
    setText(this.#advice, advice);
    this.#advice.hidden = advice === '';
  }
}

/** Asks for a yes before the microphone: the owner's words, and two answers. */
class Consent {
  readonly node = box('div', 'consent', 'consent');
  readonly #text = box('p', 'consent-text', 'consent-text');
  readonly #agree = button('agree', 'agree');
  readonly #decline = button('decline', 'decline');

  constructor() {
    this.node.hidden = true;
    this.node.tabIndex = -1;
    this.node.setAttribute('role', 'alertdialog');
    this.node.setAttribute('aria-describedby', (this.#text.id = 'consent-text'));
    this.node.append(this.#text, this.#agree, this.#decline);
  }

  listen({ onAgree, onDecline }: Presses): void {
    // The second click of the double click that opened this is no answer.
    this.#agree.addEventListener('click', (event) => event.detail > 1 || onAgree());
    this.#decline.addEventListener('click', (event) => event.detail > 1 || onDecline());
    this.node.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') onDecline();
    });
  }

  /** Return whether it went away with the focus in it. */
  show(state: CallState, texts: Texts): boolean {
    const wasShown = !this.node.hidden;
    const isShown = state.name === 'consent';
    const root = this.node.getRootNode();
    const hadFocus = root instanceof ShadowRoot && this.node.contains(root.activeElement);
    this.node.hidden = !isShown;
    if (!isShown) return wasShown && hadFocus;
    this.node.setAttribute('aria-label', texts.states.consent.title);
    setText(this.#text, state.text);
    setLabel(this.#agree, 'talk', texts.agree);
    setLabel(this.#decline, null, texts.decline);
    // Not on a button: a key that is still held down must not answer.
    if (!wasShown) this.node.focus();
    return false;
  }
}

/** One side of the call in the meter. */
class Side {
  readonly node = box('div', 'side', 'side');
  readonly #name = box('span', 'name');
  readonly #drawing = box('span', 'drawing');
  readonly #icon: IconName;

  constructor(name: IconName) {
    this.#icon = name;
    const bars = box('span', 'bars');
    for (let count = 0; count < 5; count += 1) bars.append(document.createElement('i'));
    this.node.append(this.#drawing, this.#name, bars);
  }

  show(name: string, isOff: boolean): void {
    setText(this.#name, name);
    setIcon(this.#drawing, isOff ? 'muted' : this.#icon);
    this.node.classList.toggle('off', isOff);
  }

  showLevel(level: number): void {
    this.node.style.setProperty('--level', level.toFixed(2));
    this.node.classList.toggle('speaking', level >= SPEAKING_LEVEL);
  }
}

/** Return the title and advice of a state; null where nothing is shown but the button. */
export function wordsOf({ state, texts, lengthMs }: Scene): EndText | null {
  if (state.name === 'idle') return null;
  if (state.name === 'ended') return endWords(state.reason, texts, lengthMs);
  if (state.name === 'connecting' && state.session === 'proving') return texts.proving;
  return texts.states[state.name];
}

/** Return what matters more than the advice of the state; null where nothing does. */
function hintOf({ state, texts, isSoundBlocked }: Scene, isMuted: boolean): string | null {
  if (isSoundBlocked) return texts.soundBlocked;
  if (state.name === 'in-call' && state.endsAtMs !== undefined) return texts.endingSoon;
  return isMuted ? texts.muted : null;
}

/** The edge's own sentence is the better advice where it knows more than the code says. */
function endWords(reason: EndReason, texts: Texts, lengthMs: number | null): EndText {
  const { title, advice } = texts.ends[reason.code];
  const detail = isWorded(reason.code) ? null : reason.detail;
  if (isFailure(reason.code)) return { title, advice: detail ?? advice };
  const lasted = lengthMs === null ? '' : texts.lasted.replace('{time}', formatLength(lengthMs));
  return { title, advice: [advice, lasted].filter((part) => part !== '').join(' ') };
}

function mainIcon(state: CallState, isTalking: boolean): IconName | null {
  if (isTalking) return 'hangUp';
  return isLive(state) || state.name === 'checking' ? null : 'talk';
}

function mainLabel({ state, texts, label }: Scene): string {
  switch (state.name) {
    case 'idle':
      return label;
    case 'ended':
      return isFailure(state.reason.code) ? texts.tryAgain : texts.callAgain;
    case 'in-call':
    case 'reconnecting':
      return texts.hangUp;
    default:
      return texts.cancel;
  }
}

function badgeClass(state: CallState): string {
  if (state.name === 'ended') return isFailure(state.reason.code) ? 'failure' : '';
  if (state.name === 'ringing') return 'ringing';
  const isWaiting = ['checking', 'connecting', 'reconnecting'].includes(state.name);
  return isWaiting ? 'waiting' : '';
}

function badgeIcon(state: CallState): IconName {
  if (state.name === 'asking' || state.name === 'consent') return 'talk';
  if (state.name !== 'ended') return 'bot';
  return isFailure(state.reason.code) ? 'warning' : 'check';
}

function box<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  part?: string,
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  node.className = className;
  if (part) node.part.add(part);
  return node;
}

function button(className: string, part: string): HTMLButtonElement {
  const node = box('button', className, part);
  node.type = 'button';
  return node;
}

/** Change text only where it differs: screen readers announce what is set. */
function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

function setIcon(node: HTMLElement, name: IconName): void {
  if (node.dataset['icon'] === name) return;
  node.dataset['icon'] = name;
  node.replaceChildren(icon(name));
}

function setLabel(node: HTMLElement, name: IconName | null, label: string): void {
  const key = `${name ?? ''} ${label}`;
  if (node.dataset['label'] === key) return;
  node.dataset['label'] = key;
  node.replaceChildren(...(name ? [icon(name)] : []), label);
}
