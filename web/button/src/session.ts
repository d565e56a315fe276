/**
 * The HTTP request for the grant to start one call; a second one where the edge asked for proof.
 *
 * Source: `POST /v1/sessions` of the edge; refusals are RFC 9457 problem documents.
 */

import { parseChallenge, type Challenge } from './challenge.js';
import { isObject, numberOf, parseObject, textOf, type JsonObject } from './json.js';
import { refusalCode } from './refusals.js';
import type { EndReason } from './state.js';

/** What the edge allows: everything the call is built from. */
export interface Grant {
  readonly callId: string;
  readonly token: string;
  readonly expiresInS: number;
  readonly signalingUrl: string;
  readonly iceServers: readonly RTCIceServer[];
  readonly iceTransportPolicy: RTCIceTransportPolicy;
  readonly codecPreference: readonly string[];
}

export type SessionAnswer =
  | { readonly ok: true; readonly grant: Grant }
  | {
      readonly ok: false;
      readonly reason: EndReason;
      /** To be solved first, where that is the reason. */
      readonly challenge?: Challenge | null;
    };

/** Solves a challenge: what to send, or null. */
export type Solve = (challenge: Challenge) => Promise<string | null>;

/** Longest wait for the edge's answer. */
export const SESSION_MAX_MS = 10_000;

/**
 * Ask for a grant. Never throws: whatever goes wrong is a reason to show.
 *
 * A request that nobody wants any more is answered all the same, and the grant given back:
 * unused, it would keep the visitor from pressing again while it lives.
 */
export async function openSession(
  endpoint: string,
  question: JsonObject,
  signal: AbortSignal,
  solve: Solve,
): Promise<SessionAnswer> {
  const first = await ask(endpoint, question, signal);
  if (first.ok || !first.challenge) return first;
  const challenge = await solve(first.challenge);
  if (challenge === null) return failure({ code: 'check-failed', detail: null });
  return ask(endpoint, { ...question, challenge }, signal);
}

async function ask(
  endpoint: string,
  question: JsonObject,
  signal: AbortSignal,
): Promise<SessionAnswer> {
  const late = new AbortController();
  const clock = setTimeout(() => late.abort(), SESSION_MAX_MS);
  try {
    const response = await fetch(`${endpoint}/v1/sessions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify(question),
      credentials: 'omit',
      cache: 'no-store',
      signal: late.signal,
    });
    const text = await response.text();
    const answer = response.ok ? readGrant(text) : readRefusal(response.status, text);
    if (answer.ok && signal.aborted) void cancelSession(endpoint, answer.grant);
    return answer;
  } catch {
    return failure({ code: 'edge-unreachable', detail: null });
  } finally {
    clearTimeout(clock);
  }
}

/** Give back a grant that starts no call, also while the page closes. Never throws. */
export async function cancelSession(endpoint: string, grant: Grant): Promise<void> {
  try {
    await fetch(`${endpoint}/v1/sessions/cancel`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token: grant.token }),
      credentials: 'omit',
      keepalive: true,
      signal: AbortSignal.timeout(SESSION_MAX_MS),
    });
  } catch {
    // It ends by itself.
  }
}

function failure(reason: EndReason): SessionAnswer {
  return { ok: false, reason };
}

function readRefusal(status: number, text: string): SessionAnswer {
  const challenge = parseObject(text)?.['challenge'];
  return {
    ok: false,
    reason: parseRefusal(status, text),
    challenge: isObject(challenge) ? parseChallenge(challenge) : null,
  };
}

function readGrant(text: string): SessionAnswer {
  const grant = parseGrant(text);
  return grant ? { ok: true, grant } : failure({ code: 'internal', detail: null });
}

/** Return the grant in a 201 answer, or null when a part is missing or of the wrong type. */
export function parseGrant(text: string): Grant | null {
  const body = parseObject(text);
  if (!body) return null;
  const callId = textOf(body['call_id']);
  const token = textOf(body['token']);
  const expiresInS = numberOf(body['expires_in_s']);
  const signalingUrl = textOf(body['signaling_url']);
  if (!callId || !token || expiresInS === null || !signalingUrl) return null;
  return {
    callId,
    token,
    expiresInS,
    signalingUrl,
    iceServers: listOf(body['ice_servers']).filter(isObject).map(parseIceServer),
    iceTransportPolicy: body['ice_transport_policy'] === 'relay' ? 'relay' : 'all',
    codecPreference: texts(body['codec_preference']),
  };
}

function parseIceServer(server: JsonObject): RTCIceServer {
  const urls = textOf(server['urls']);
  const username = textOf(server['username']);
  const credential = textOf(server['credential']);
  return {
    urls: urls === null ? texts(server['urls']) : [urls],
    ...(username === null ? {} : { username }),
    ...(credential === null ? {} : { credential }),
  };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function texts(value: unknown): string[] {
  return listOf(value).filter((item) => typeof item === 'string');
}

/** Return what a refusal means; the edge's own sentence is kept for the visitor. */
export function parseRefusal(status: number, text: string): EndReason {
  const problem = parseObject(text);
  const code = refusalCode(textOf(problem?.['code']));
  const detail = textOf(problem?.['detail']);
  const retryAfterS = numberOf(problem?.['retry_after_s']);
  const retry = retryAfterS === null ? {} : { retryAfterS };
  if (code) return { code, detail, ...retry };
  // A proxy in front of an edge that is down answers 502 to 504 with a page of its own.
  if (!problem && status >= 500) return { code: 'edge-unreachable', detail: null };
  return { code: 'refused', detail, ...retry };
}
