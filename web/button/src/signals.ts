/**
 * The words of the signaling socket, as values. Pure.
 *
 * Source: the edge's `/v1/signaling`, subprotocol `talkbutton.v1`.
 */

import { numberOf, parseObject, textOf, type JsonObject } from './json.js';
import { refusalCode } from './refusals.js';
import type { EndCode, EndReason } from './state.js';

export const SUBPROTOCOL = 'talkbutton.v1';

export type Speaker = 'visitor' | 'bot';

/** One line of what was said. `isFinal` is false while the words may still change. */
export interface Caption {
  readonly speaker: Speaker;
  readonly utteranceId: string;
  readonly text: string;
  readonly isFinal: boolean;
}

/** What the edge says. */
export type Signal =
  | { readonly type: 'ready' }
  | { readonly type: 'ringing' }
  | { readonly type: 'answer'; readonly sdp: string }
  | { readonly type: 'caption'; readonly caption: Caption }
  | { readonly type: 'ending-soon'; readonly leftS: number }
  | { readonly type: 'over'; readonly reason: EndReason };

/** What the button says. Keys are the wire's. */
export type Report =
  | { readonly type: 'start'; readonly token: string }
  | { readonly type: 'offer'; readonly sdp: string }
  | {
      readonly type: 'candidate';
      readonly candidate: string | null;
      readonly sdpMid: string | null;
      readonly sdpMLineIndex: number | null;
    }
  | { readonly type: 'state'; readonly ice: string }
  | ({ readonly type: 'stats' } & Readonly<Record<string, string | number>>)
  | { readonly type: 'bye'; readonly reason: string };

const CAUSES: ReadonlyMap<string, EndCode> = new Map([
  ['visitor_hung_up', 'hung-up'],
  ['bot_hung_up', 'bot-hung-up'],
  ['operator_hung_up', 'operator-hung-up'],
  ['duration_limit', 'duration-limit'],
  ['gateway_unavailable', 'gateway-unavailable'],
  ['line_unavailable', 'line-unavailable'],
  ['bot_unavailable', 'bot-unavailable'],
  ['media_lost', 'connection-lost'],
  ['no_answer', 'no-answer'],
]);

/** Return the edge's message, or null for one that this version does not know. */
export function parseSignal(text: string): Signal | null {
  const message = parseObject(text);
  switch (message?.['type']) {
    case 'ready':
      return { type: 'ready' };
    case 'ringing':
      return { type: 'ringing' };
    case 'answer': {
      const sdp = textOf(message['sdp']);
      return sdp === null ? null : { type: 'answer', sdp };
    }
    case 'caption':
      return parseCaption(message);
    case 'ending_soon': {
      const leftS = numberOf(message['left_s']);
      return leftS === null || leftS <= 0 ? null : { type: 'ending-soon', leftS };
    }
    case 'ended':
      return over(CAUSES.get(textOf(message['cause']) ?? '') ?? 'internal', message);
    case 'error':
      return over(refusalCode(textOf(message['code'])) ?? 'refused', message);
    default:
      return null;
  }
}

function over(code: EndCode, message: JsonObject): Signal {
  return { type: 'over', reason: { code, detail: textOf(message['detail']) } };
}

function parseCaption(message: JsonObject): Signal | null {
  const speaker = message['speaker'];
  const utteranceId = textOf(message['utterance_id']);
  const text = textOf(message['text']);
  if ((speaker !== 'visitor' && speaker !== 'bot') || !utteranceId || text === null) return null;
  const isFinal = message['final'] === true;
  return { type: 'caption', caption: { speaker, utteranceId, text, isFinal } };
}
