/**
 * What the edge says of a site before anybody is asked for anything: is it open, and what must
 * the visitor agree to?
 *
 * Asked for when the page is loaded and again when the pointer or the focus comes near, because
 * some browsers allow the microphone only within the click itself.
 *
 * Source: `GET /v1/sites/{site}` of the edge.
 */

import { parseObject, textOf } from './json.js';
import { parseRefusal } from './session.js';
import { refusalCode } from './refusals.js';
import type { SiteGate } from './state.js';

/** Longest wait for the edge's answer; without one, the session request decides. */
export const SITE_MAX_MS = 4_000;
/** So long an open site is not asked again. */
const FRESH_MS = 5_000;
/** The same for a closed one, and so long it is believed: a part that was down may be back. */
const CLOSED_MAX_MS = 1_000;
/** So long a site is taken to be open as it was; the session request has the last word. */
const OPEN_MAX_MS = 600_000;

const UNKNOWN: SiteGate = { kind: 'unknown' };
const OPEN: SiteGate = { kind: 'open' };

/** Return what an answer means; one that makes no sense leaves the word to the session request. */
export function parseSite(status: number, text: string): SiteGate {
  const body = parseObject(text);
  if (status === 404 && textOf(body?.['code']) === 'site_unknown') {
    return { kind: 'closed', reason: parseRefusal(status, text) };
  }
  if (status !== 200 || !body) return OPEN;
  const code = refusalCode(textOf(body['state']));
  if (code) return { kind: 'closed', reason: { ...parseRefusal(status, text), code } };
  const consent = textOf(body['consent_text']);
  return consent ? { kind: 'consent', text: consent } : OPEN;
}

/** Remembers one site's latest answer. */
export class SiteWatch {
  readonly key: string;
  readonly #url: string;
  #gate: SiteGate = UNKNOWN;
  #askedMs = -Infinity;
  #asking: Promise<SiteGate> | null = null;

  constructor(endpoint: string, site: string) {
    this.key = SiteWatch.keyOf(endpoint, site);
    this.#url = this.key;
  }

  static keyOf(endpoint: string, site: string): string {
    return `${endpoint}/v1/sites/${encodeURIComponent(site)}`;
  }

  /** Return what is known now. */
  gate(nowMs: number): SiteGate {
    const maxMs = this.#gate.kind === 'closed' ? CLOSED_MAX_MS : OPEN_MAX_MS;
    return nowMs - this.#askedMs <= maxMs ? this.#gate : UNKNOWN;
  }

  /** Ask, unless the latest answer is fresh or on its way. Never throws. */
  ask(nowMs: number): Promise<SiteGate> {
    if (this.#asking) return this.#asking;
    const freshMs = this.#gate.kind === 'closed' ? CLOSED_MAX_MS : FRESH_MS;
    if (this.#gate.kind !== 'unknown' && nowMs - this.#askedMs <= freshMs) {
      return Promise.resolve(this.#gate);
    }
    this.#asking = fetchSite(this.#url).then((gate) => {
      this.#asking = null;
      this.#gate = gate ?? UNKNOWN;
      this.#askedMs = nowMs;
      return gate ?? OPEN;
    });
    return this.#asking;
  }

  /** Ask anew next time: the edge has said something else. */
  forget(): void {
    this.#gate = UNKNOWN;
  }
}

/** Return the edge's answer, or null without one. */
async function fetchSite(url: string): Promise<SiteGate | null> {
  const late = new AbortController();
  const clock = setTimeout(() => late.abort(), SITE_MAX_MS);
  try {
    const response = await fetch(url, {
      credentials: 'omit',
      cache: 'no-store',
      signal: late.signal,
    });
    return parseSite(response.status, await response.text());
  } catch {
    return null;
  } finally {
    clearTimeout(clock);
  }
}
