/**
 * Every word that the button says, in one table. Pure.
 *
 * To translate, give a table of the same shape to `addTexts('de', …)`; the element takes the
 * table of its own or its page's language. `{time}` stands for a length such as 1:05.
 */

import type { EndCode, StateName } from './state.js';

/** What happened, and what to do about it. `advice` may be empty where nothing needs doing. */
export interface EndText {
  readonly title: string;
  readonly advice: string;
}

export interface Texts {
  /** On the button that starts a call, where the page gives no `label`. */
  readonly label: string;
  readonly cancel: string;
  readonly hangUp: string;
  readonly callAgain: string;
  readonly tryAgain: string;
  readonly mute: string;
  readonly unmute: string;
  readonly dismiss: string;
  /** Name of the whole, for screen readers. */
  readonly region: string;
  /** Name of the list of captions, for screen readers. */
  readonly captions: string;
  readonly timer: string;
  readonly visitor: string;
  readonly bot: string;
  readonly lasted: string;
  readonly muted: string;
  /** Says yes to what the owner asks consent for, and starts the call. */
  readonly agree: string;
  readonly decline: string;
  /** Under a refusal that will pass. */
  readonly retryIn: string;
  readonly retryNow: string;
  /** Shown when the longest duration is near; the timer then counts down. */
  readonly endingSoon: string;
  readonly timeLeft: string;
  /** Shown while the browser holds the sound back. */
  readonly soundBlocked: string;
  /** Shown while the browser proves that it is one, once the microphone is there. */
  readonly proving: EndText;
  readonly states: Readonly<Record<Exclude<StateName, 'idle' | 'ended'>, EndText>>;
  readonly ends: Readonly<Record<EndCode, EndText>>;
}

export const ENGLISH: Texts = {
  label: 'Talk to us',
  cancel: 'Cancel',
  hangUp: 'Hang up',
  callAgain: 'Call again',
  tryAgain: 'Try again',
  mute: 'Mute',
  unmute: 'Unmute',
  dismiss: 'Close',
  region: 'Voice call',
  captions: 'What was said',
  timer: 'Length of the call',
  visitor: 'You',
  bot: 'Assistant',
  lasted: 'You talked for {time}.',
  muted: 'Your microphone is off.',
  agree: 'I agree, start the call',
  decline: 'No, thanks',
  retryIn: 'Try again in {time}',
  retryNow: 'You can try again now',
  endingSoon: 'Our time is almost up. The call ends soon.',
  timeLeft: 'Time left',
  soundBlocked: 'Your browser holds the sound back. Press anywhere to hear the call.',
  proving: { title: 'One moment, checking your browser…', advice: 'This happens by itself.' },
  states: {
    checking: { title: 'One moment…', advice: 'We are looking whether somebody can answer.' },
    consent: { title: 'Before we start', advice: '' },
    asking: { title: 'May we hear you?', advice: 'Allow the microphone where your browser asks.' },
    connecting: { title: 'Connecting…', advice: 'This takes a second or two.' },
    ringing: { title: 'Ringing…', advice: 'The assistant is about to answer.' },
    'in-call': { title: 'You are connected', advice: 'Just talk. You can interrupt at any time.' },
    reconnecting: {
      title: 'Reconnecting…',
      advice: 'The network broke off for a moment. Please stay on the line.',
    },
  },
  ends: {
    'hung-up': { title: 'Call ended', advice: '' },
    closed: { title: 'Call ended', advice: 'The call ended when you left the page.' },
    'bot-hung-up': { title: 'Call ended', advice: 'The assistant said goodbye.' },
    'operator-hung-up': { title: 'Call ended', advice: 'We had to end the call on our side.' },
    'duration-limit': {
      title: 'Time is up',
      advice: 'The call reached its longest length. You are welcome to call again.',
    },
    'no-answer': {
      title: 'Nobody answered',
      advice: 'Please try again in a minute.',
    },
    'mic-denied': {
      title: 'The microphone is blocked',
      advice:
        'Allow it for this page (the icon beside the address) and in your device’s privacy settings, then try again.',
    },
    'mic-missing': {
      title: 'No microphone found',
      advice: 'Plug in a microphone or headset, then try again.',
    },
    'mic-busy': {
      title: 'The microphone is in use',
      advice: 'Another app seems to be using it. Close that app, then try again.',
    },
    'mic-insecure': {
      title: 'This page is not secure',
      advice: 'Browsers allow the microphone only on pages that start with https. Open this page with https.',
    },
    'mic-policy': {
      title: 'This page does not allow the microphone',
      advice:
        'For the owner of the page: its Permissions-Policy header must list microphone=(self), and a frame around it needs allow="microphone".',
    },
    'mic-lost': {
      title: 'The microphone was disconnected',
      advice: 'Plug it in again, then call again.',
    },
    'mic-failed': {
      title: 'The microphone did not start',
      advice: 'Try again. If it happens again, restart your browser.',
    },
    unsupported: {
      title: 'This browser cannot make calls',
      advice: 'Use a current Chrome, Edge, Firefox or Safari.',
    },
    misconfigured: {
      title: 'The button is not set up',
      advice: 'For the owner of the page: the endpoint attribute must be the address of a talkbutton edge.',
    },
    'edge-unreachable': {
      title: 'We cannot be reached',
      advice: 'Check your internet connection, then try again in a minute.',
    },
    'edge-silent': {
      title: 'This is taking too long',
      advice: 'The connection could not be made in time. Please try again.',
    },
    'no-network-path': {
      title: 'Your network blocks the call',
      advice: 'Sound cannot pass through. Try another network, such as mobile data, or switch off your VPN.',
    },
    'connection-lost': {
      title: 'Connection lost',
      advice: 'Check your internet connection, then call again.',
    },
    'gateway-unavailable': {
      title: 'Calls are not possible just now',
      advice: 'Our voice gateway is down. Please try again in a minute.',
    },
    'line-unavailable': {
      title: 'Our phone line is down',
      advice: 'Please try again in a minute.',
    },
    'bot-unavailable': {
      title: 'The assistant is not available',
      advice: 'Please try again in a minute.',
    },
    'origin-refused': {
      title: 'This website may not make calls',
      advice: 'For the owner of the page: add its address to allowed_origins of the site.',
    },
    'site-unknown': {
      title: 'The button is not set up',
      advice: 'For the owner of the page: the site attribute names no site in the settings.',
    },
    maintenance: {
      title: 'Calls are paused',
      advice: 'We are working on it. Please try again later.',
    },
    'outside-hours': {
      title: 'We are closed right now',
      advice: 'Nobody answers at this time of day. Please try again later.',
    },
    'consent-missing': {
      title: 'We need your consent first',
      advice: 'Press the button again and read what we ask of you.',
    },
    'check-failed': {
      title: 'Your browser could not be checked',
      advice: 'Please try again. If it happens again, use another browser.',
    },
    'address-calls': {
      title: 'You are in a call already',
      advice: 'There is a call from your connection. End it first, then try again.',
    },
    'address-calls-per-hour': {
      title: 'That was the last call for now',
      advice: 'There were many calls from your connection. Please try again later.',
    },
    'address-sessions': {
      title: 'That was a bit fast',
      advice: 'Please wait a moment, then try again.',
    },
    'site-calls': {
      title: 'All lines are busy',
      advice: 'Everybody who could answer is in a call. Please try again soon.',
    },
    'site-sessions': {
      title: 'Many people are calling',
      advice: 'More than we can let in at once. Please try again soon.',
    },
    'budget-spent': {
      title: 'The assistant is done for today',
      advice: 'Please try again tomorrow.',
    },
    'limits-unavailable': {
      title: 'Calls are not possible just now',
      advice: 'Please try again in a minute.',
    },
    refused: { title: 'The call was refused', advice: 'Please try again.' },
    internal: {
      title: 'Something went wrong',
      advice: 'That was our fault. Please try again in a minute.',
    },
  },
};

/** Ends that need no repair: they are shown as an ordinary end, not as a failure. */
const ORDINARY: ReadonlySet<EndCode> = new Set([
  'hung-up',
  'closed',
  'bot-hung-up',
  'operator-hung-up',
  'duration-limit',
]);

/** Ends in which the button's words say more than the edge's sentence, in the page's language. */
const WORDED: ReadonlySet<EndCode> = new Set([
  'consent-missing',
  'address-calls',
  'address-calls-per-hour',
  'address-sessions',
  'site-calls',
  'site-sessions',
  'limits-unavailable',
]);

/** Return whether the edge's own sentence is no better than the table's. */
export function isWorded(code: EndCode): boolean {
  return WORDED.has(code);
}

/** Return whether a call that ended so went wrong. */
export function isFailure(code: EndCode): boolean {
  return !ORDINARY.has(code);
}

/** Return the table of the first language that has one; `de-AT` falls back to `de`. */
export function pickTexts(
  languages: readonly string[],
  tables: ReadonlyMap<string, Texts>,
): readonly [language: string, texts: Texts] {
  for (const language of languages.map((name) => name.toLowerCase())) {
    const short = language.split('-')[0] ?? language;
    for (const name of [language, short]) {
      const table = tables.get(name);
      if (table) return [name, table];
    }
  }
  return ['en', ENGLISH];
}

/** Return a length as minutes and seconds, such as 1:05. */
export function formatLength(lengthMs: number): string {
  const seconds = Math.max(0, Math.floor(lengthMs / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
