/**
 * Captions of both sides, each in the place where its sentence began.
 *
 * Words that may still change are hidden from screen readers; when they are final the line is
 * put in anew, so that the log announces it once. A line corrected after that (the bot was cut
 * short) changes in place.
 */

import type { Caption } from './signals.js';
import type { Texts } from './texts.js';

/** Return `captions` with `caption` added, or in the place of its earlier wording. Pure. */
export function placeCaption(captions: readonly Caption[], caption: Caption): readonly Caption[] {
  const known = captions.some((other) => isSame(other, caption));
  return known
    ? captions.map((other) => (isSame(other, caption) ? mergeCaption(other, caption) : other))
    : [...captions, caption];
}

/** A late draft never takes back a final wording. */
function mergeCaption(before: Caption, after: Caption): Caption {
  return before.isFinal && !after.isFinal ? before : after;
}

function isSame(one: Caption, other: Caption): boolean {
  return one.utteranceId === other.utteranceId && one.speaker === other.speaker;
}

/** The visible log. Content is set as text only, never as markup. */
export class CaptionLog {
  readonly node = document.createElement('div');
  #captions: readonly Caption[] = [];
  readonly #lines = new Map<string, { readonly line: HTMLElement; readonly isFinal: boolean }>();

  constructor() {
    this.node.part.add('captions');
    this.node.className = 'captions';
    this.node.setAttribute('role', 'log');
    this.node.setAttribute('aria-live', 'polite');
    this.node.tabIndex = 0;
    this.node.hidden = true;
    this.node.addEventListener('scroll', () => {
      this.node.toggleAttribute('data-scrolled', this.node.scrollTop > 0);
    });
  }

  clear(): void {
    this.#captions = [];
    this.#lines.clear();
    this.node.replaceChildren();
    this.node.hidden = true;
  }

  show(caption: Caption, texts: Texts): void {
    const isAtEnd =
      this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight < SCROLL_SLACK_PX;
    this.#captions = placeCaption(this.#captions, caption);
    const kept = this.#captions.find((other) => isSame(other, caption)) ?? caption;
    this.#draw(kept, texts);
    this.node.hidden = false;
    if (isAtEnd) this.node.scrollTop = this.node.scrollHeight;
  }

  #draw(caption: Caption, texts: Texts): void {
    const key = `${caption.speaker} ${caption.utteranceId}`;
    const before = this.#lines.get(key);
    if (before && before.isFinal === caption.isFinal) {
      setWords(before.line, caption.text);
      return;
    }
    const line = newLine(caption, texts);
    if (before) before.line.replaceWith(line);
    else this.node.append(line);
    this.#lines.set(key, { line, isFinal: caption.isFinal });
  }
}

/** A reader this close to the last line follows it; one who scrolled up is left in peace. */
const SCROLL_SLACK_PX = 40;

function newLine(caption: Caption, texts: Texts): HTMLElement {
  const line = document.createElement('p');
  line.className = `caption ${caption.speaker}${caption.isFinal ? '' : ' draft'}`;
  line.part.add('caption', `caption-${caption.speaker}`);
  if (!caption.isFinal) line.setAttribute('aria-hidden', 'true');
  const speaker = document.createElement('span');
  speaker.className = 'speaker';
  speaker.textContent = `${texts[caption.speaker]}: `;
  line.append(speaker, document.createElement('span'));
  setWords(line, caption.text);
  return line;
}

function setWords(line: HTMLElement, words: string): void {
  if (line.lastElementChild) line.lastElementChild.textContent = words;
}
