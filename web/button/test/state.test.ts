import { describe, expect, it } from 'vitest';

import {
  CHECK_MAX_MS,
  CONNECT_MAX_MS,
  IDLE,
  RECONNECT_MAX_MS,
  RING_MAX_MS,
  step,
  type CallEffect,
  type CallInput,
  type CallState,
  type EndCode,
  type SiteGate,
} from '../src/state.js';

const ended = (code: EndCode, detail: string | null = null): CallState => ({
  name: 'ended',
  reason: { code, detail },
});
const asking = (session: 'opening' | 'proving' | 'open' | 'stale'): CallState => ({ name: 'asking', session });
const connecting = (session: 'opening' | 'proving' | 'open', isAnswered = false): CallState => ({
  name: 'connecting',
  session,
  isAnswered,
});
const ringing = (isAnswered = false): CallState => ({ name: 'ringing', isAnswered });
const inCall = (isMuted = false): CallState => ({ name: 'in-call', sinceMs: 7, isMuted });
const reconnecting = (isMuted = false): CallState => ({
  name: 'reconnecting',
  sinceMs: 7,
  isMuted,
});

const PRESS: CallInput = { type: 'press' };
const OVER: CallInput = { type: 'over', reason: { code: 'bot-hung-up', detail: 'Bye.' } };
const start = (hasConsent: boolean): CallEffect[] => [
  { type: 'ask-for-microphone', hasConsent },
  { type: 'open-session' },
];
const START = start(false);
const CLOSED: SiteGate = {
  kind: 'closed',
  reason: { code: 'outside-hours', detail: 'Closed.', retryAfterS: 60 },
};
const CONSENT: SiteGate = { kind: 'consent', text: 'We record.' };
const CHECKING: CallState = { name: 'checking' };
const ASKED: CallState = { name: 'consent', text: 'We record.' };
const arm = (afterMs: number): CallEffect => ({ type: 'arm', afterMs });
const bye = (reason: 'hung_up' | 'closed' | 'failed'): CallEffect => ({
  type: 'hang-up',
  bye: reason,
});
const connected: CallInput = { type: 'media-connected', nowMs: 7 };

type Row = readonly [before: CallState, input: CallInput, after: CallState, effects: CallEffect[]];

const LIVE: readonly CallState[] = [
  asking('opening'),
  asking('open'),
  asking('stale'),
  asking('proving'),
  connecting('opening'),
  connecting('proving'),
  connecting('open'),
  ringing(),
  inCall(),
  reconnecting(),
];
const INPUTS: readonly CallInput[] = [
  PRESS,
  OVER,
  connected,
  { type: 'dismiss' },
  { type: 'mute-press' },
  { type: 'removed' },
  { type: 'microphone-granted' },
  { type: 'session-proving' },
  { type: 'session-opened' },
  { type: 'session-expired' },
  { type: 'ringing' },
  { type: 'answered' },
  { type: 'media-disconnected' },
  { type: 'media-failed' },
  { type: 'signaling-closed' },
  { type: 'timeout' },
  { type: 'ending-soon', nowMs: 7, leftS: 30 },
  { type: 'site-checked', gate: CLOSED },
  { type: 'agree' },
  { type: 'decline' },
];

const ROWS: readonly Row[] = [
  [IDLE, PRESS, asking('opening'), START],
  [ended('mic-denied'), PRESS, asking('opening'), START],
  [ended('hung-up'), { type: 'dismiss' }, IDLE, []],

  [IDLE, { type: 'press', gate: { kind: 'open' } }, asking('opening'), START],
  [IDLE, { type: 'press', gate: CLOSED }, { name: 'ended', reason: CLOSED.reason }, []],
  [IDLE, { type: 'press', gate: CONSENT }, ASKED, []],
  [IDLE, { type: 'press', gate: { kind: 'unknown' } }, CHECKING, [{ type: 'check-site' }]],
  [CHECKING, { type: 'site-checked', gate: { kind: 'open' } }, asking('opening'), START],
  [CHECKING, { type: 'site-checked', gate: { kind: 'unknown' } }, asking('opening'), START],
  [CHECKING, { type: 'site-checked', gate: CONSENT }, ASKED, []],
  [CHECKING, { type: 'site-checked', gate: CLOSED }, { name: 'ended', reason: CLOSED.reason }, []],
  [CHECKING, PRESS, IDLE, []],
  [CHECKING, { type: 'removed' }, IDLE, []],
  [ASKED, { type: 'agree' }, asking('opening'), start(true)],
  [ASKED, { type: 'decline' }, IDLE, []],
  [ASKED, { type: 'removed' }, IDLE, []],
  [
    inCall(true),
    { type: 'ending-soon', nowMs: 1_000, leftS: 30 },
    { name: 'in-call', sinceMs: 7, isMuted: true, endsAtMs: 31_000 },
    [],
  ],

  [asking('opening'), { type: 'session-opened' }, asking('open'), []],
  [asking('open'), { type: 'session-expired' }, asking('stale'), []],
  [asking('opening'), { type: 'session-proving' }, asking('proving'), []],
  [asking('proving'), { type: 'session-opened' }, asking('open'), []],
  [
    asking('proving'),
    { type: 'microphone-granted' },
    connecting('proving'),
    [arm(CHECK_MAX_MS)],
  ],
  [
    connecting('opening'),
    { type: 'session-proving' },
    connecting('proving'),
    [arm(CHECK_MAX_MS)],
  ],
  [
    connecting('proving'),
    { type: 'session-opened' },
    connecting('open'),
    [{ type: 'start-call' }, arm(CONNECT_MAX_MS)],
  ],
  [connecting('proving'), { type: 'timeout' }, ended('check-failed'), [bye('failed')]],
  [
    asking('opening'),
    { type: 'microphone-granted' },
    connecting('opening'),
    [arm(CONNECT_MAX_MS)],
  ],
  [
    asking('open'),
    { type: 'microphone-granted' },
    connecting('open'),
    [{ type: 'start-call' }, arm(CONNECT_MAX_MS)],
  ],
  [
    asking('stale'),
    { type: 'microphone-granted' },
    connecting('opening'),
    [{ type: 'open-session' }, arm(CONNECT_MAX_MS)],
  ],
  [connecting('opening'), { type: 'session-opened' }, connecting('open'), [{ type: 'start-call' }]],

  [connecting('open'), { type: 'ringing' }, ringing(), [arm(RING_MAX_MS)]],
  [connecting('open'), { type: 'answered' }, connecting('open', true), [arm(CONNECT_MAX_MS)]],
  [ringing(), { type: 'answered' }, ringing(true), [arm(CONNECT_MAX_MS)]],
  [connecting('open', true), connected, inCall(), [{ type: 'disarm' }]],
  [ringing(true), connected, inCall(), [{ type: 'disarm' }]],

  [inCall(), { type: 'mute-press' }, inCall(true), [{ type: 'set-muted', isMuted: true }]],
  [inCall(true), { type: 'mute-press' }, inCall(), [{ type: 'set-muted', isMuted: false }]],
  [
    reconnecting(true),
    { type: 'mute-press' },
    reconnecting(),
    [{ type: 'set-muted', isMuted: false }],
  ],
  [inCall(true), { type: 'media-disconnected' }, reconnecting(true), [arm(RECONNECT_MAX_MS)]],
  [reconnecting(true), connected, inCall(true), [{ type: 'disarm' }]],

  [connecting('opening'), { type: 'timeout' }, ended('edge-silent'), [bye('failed')]],
  [connecting('open', true), { type: 'timeout' }, ended('no-network-path'), [bye('failed')]],
  [ringing(), { type: 'timeout' }, ended('no-answer'), [bye('failed')]],
  [ringing(true), { type: 'timeout' }, ended('no-network-path'), [bye('failed')]],
  [reconnecting(), { type: 'timeout' }, ended('connection-lost'), [bye('failed')]],
  [ringing(true), { type: 'media-failed' }, ended('no-network-path'), [bye('failed')]],
  [inCall(), { type: 'media-failed' }, ended('connection-lost'), [bye('failed')]],
  [reconnecting(), { type: 'media-failed' }, ended('connection-lost'), [bye('failed')]],
  [connecting('open'), { type: 'signaling-closed' }, ended('edge-unreachable'), [bye('failed')]],
  [inCall(), { type: 'signaling-closed' }, ended('connection-lost'), [bye('failed')]],
];

describe('step', () => {
  it.each(ROWS)('%j on %j gives %j', (before, input, after, effects) => {
    expect(step(before, input)).toEqual([after, effects]);
  });

  it.each(LIVE)('a press in %j hangs up', (state) => {
    expect(step(state, PRESS)).toEqual([ended('hung-up'), [bye('hung_up')]]);
  });

  it.each(LIVE)('leaving the page in %j hangs up', (state) => {
    expect(step(state, { type: 'removed' })).toEqual([ended('closed'), [bye('closed')]]);
  });

  it.each(LIVE)('an end for a reason in %j keeps the reason and its words', (state) => {
    expect(step(state, OVER)).toEqual([ended('bot-hung-up', 'Bye.'), [bye('failed')]]);
  });

  it.each([IDLE, ended('hung-up')])('nothing but a press starts anything in %j', (state) => {
    for (const input of INPUTS) {
      if (input.type === 'press' || input.type === 'dismiss') continue;
      expect(step(state, input)).toEqual([state, []]);
    }
  });

  it('asks for the microphone only after a yes', () => {
    for (const state of [CHECKING, ASKED]) {
      for (const input of INPUTS) {
        if (input.type === 'agree') continue;
        const [, effects] = step(state, input);
        expect(effects).toEqual([]);
      }
    }
  });

  it('returns the same state, and no effect, for every input that does not apply', () => {
    const rows: readonly (readonly [CallState, CallInput])[] = [
      [IDLE, { type: 'dismiss' }],
      [asking('opening'), { type: 'ringing' }],
      [asking('opening'), { type: 'answered' }],
      [asking('opening'), connected],
      [asking('open'), { type: 'session-proving' }],
      [connecting('open'), { type: 'session-proving' }],
      [asking('opening'), { type: 'session-expired' }],
      [connecting('open'), { type: 'session-expired' }],
      [connecting('open'), { type: 'session-opened' }],
      [connecting('open'), { type: 'microphone-granted' }],
      [connecting('open', true), { type: 'ringing' }],
      [ringing(), { type: 'mute-press' }],
      [ringing(), { type: 'media-disconnected' }],
      [inCall(), { type: 'dismiss' }],
      [inCall(), { type: 'answered' }],
      [inCall(), connected],
      [reconnecting(), { type: 'media-disconnected' }],
      [ringing(), { type: 'ending-soon', nowMs: 7, leftS: 30 }],
      [asking('opening'), { type: 'site-checked', gate: CLOSED }],
      [asking('opening'), { type: 'agree' }],
      [ASKED, PRESS],
      [ASKED, { type: 'site-checked', gate: CLOSED }],
      [CHECKING, { type: 'agree' }],
    ];
    for (const [state, input] of rows) {
      const [next, effects] = step(state, input);
      expect(next).toBe(state);
      expect(effects).toEqual([]);
    }
  });

  it('lets every live state end, and every end start again', () => {
    for (const state of LIVE) {
      for (const input of INPUTS) {
        const [next] = step(state, input);
        if (next.name === 'ended') expect(step(next, PRESS)).toEqual([asking('opening'), START]);
      }
    }
  });
});
