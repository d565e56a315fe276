/**
 * The call button's life, as a pure function.
 *
 *   idle -> checking -> consent -> asking    (each only where it is needed)
 *   idle -> asking -> connecting -> ringing -> in-call <-> reconnecting
 *                         |____________________^
 *   any of them -- over, for a reason --> ended -- press --> asking
 *                                         ended -- dismiss --> idle
 *
 * Effects are plain data, carried out in order; `Call` and `TalkButton` do so.
 * There is one clock: `arm` starts it (and stops the one before), `disarm` stops it, and
 * `timeout` says that it ran out.
 */

/** How far the session request has come while the visitor is asked for the microphone. */
export type SessionProgress = 'opening' | 'proving' | 'open' | 'stale';

/** Why a call could not start, or ended. The words for each are in `texts.ts`. */
export type EndCode =
  | 'hung-up'
  | 'closed'
  | 'bot-hung-up'
  | 'operator-hung-up'
  | 'duration-limit'
  | 'no-answer'
  | 'mic-denied'
  | 'mic-missing'
  | 'mic-busy'
  | 'mic-insecure'
  | 'mic-policy'
  | 'mic-lost'
  | 'mic-failed'
  | 'unsupported'
  | 'misconfigured'
  | 'edge-unreachable'
  | 'edge-silent'
  | 'no-network-path'
  | 'connection-lost'
  | 'gateway-unavailable'
  | 'line-unavailable'
  | 'bot-unavailable'
  | 'origin-refused'
  | 'site-unknown'
  | 'maintenance'
  | 'outside-hours'
  | 'consent-missing'
  | 'check-failed'
  | 'address-calls'
  | 'address-calls-per-hour'
  | 'address-sessions'
  | 'site-calls'
  | 'site-sessions'
  | 'budget-spent'
  | 'limits-unavailable'
  | 'refused'
  | 'internal';

/** A reason; `detail` is the edge's own sentence for the visitor, where it sent one. */
export interface EndReason {
  readonly code: EndCode;
  readonly detail: string | null;
  /** Seconds after which trying again may help, where the edge said so. */
  readonly retryAfterS?: number;
}

/** What the site lets a visitor do now, as far as the page knows. */
export type SiteGate =
  | { readonly kind: 'open' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'closed'; readonly reason: EndReason }
  | { readonly kind: 'consent'; readonly text: string };

/** Parts of a state in which the visitor talks. */
interface Talk {
  readonly sinceMs: number;
  readonly isMuted: boolean;
  /** When the longest duration is reached, once the edge has said that it is near. */
  readonly endsAtMs?: number;
}

export type CallState =
  | { readonly name: 'idle' }
  | { readonly name: 'checking' }
  | { readonly name: 'consent'; readonly text: string }
  | { readonly name: 'asking'; readonly session: SessionProgress }
  | { readonly name: 'connecting'; readonly session: SessionProgress; readonly isAnswered: boolean }
  | { readonly name: 'ringing'; readonly isAnswered: boolean }
  | ({ readonly name: 'in-call' } & Talk)
  | ({ readonly name: 'reconnecting' } & Talk)
  | { readonly name: 'ended'; readonly reason: EndReason };

export type StateName = CallState['name'];

export type CallInput =
  | { readonly type: 'press'; readonly gate?: SiteGate }
  | { readonly type: 'site-checked'; readonly gate: SiteGate }
  | { readonly type: 'agree' }
  | { readonly type: 'decline' }
  | { readonly type: 'dismiss' }
  | { readonly type: 'mute-press' }
  | { readonly type: 'removed' }
  | { readonly type: 'microphone-granted' }
  | { readonly type: 'session-proving' }
  | { readonly type: 'session-opened' }
  | { readonly type: 'session-expired' }
  | { readonly type: 'ringing' }
  | { readonly type: 'answered' }
  | { readonly type: 'media-connected'; readonly nowMs: number }
  | { readonly type: 'media-disconnected' }
  | { readonly type: 'media-failed' }
  | { readonly type: 'ending-soon'; readonly nowMs: number; readonly leftS: number }
  | { readonly type: 'signaling-closed' }
  | { readonly type: 'timeout' }
  | { readonly type: 'over'; readonly reason: EndReason };

export type ByeReason = 'hung_up' | 'closed' | 'failed';

export type CallEffect =
  | { readonly type: 'check-site' }
  | { readonly type: 'ask-for-microphone'; readonly hasConsent: boolean }
  | { readonly type: 'open-session' }
  | { readonly type: 'start-call' }
  | { readonly type: 'set-muted'; readonly isMuted: boolean }
  | { readonly type: 'arm'; readonly afterMs: number }
  | { readonly type: 'disarm' }
  | { readonly type: 'hang-up'; readonly bye: ByeReason };

export type Step = readonly [next: CallState, effects: readonly CallEffect[]];

/** Longest wait for the edge to take the call, and for media to flow once it was answered. */
export const CONNECT_MAX_MS = 15_000;
/** Longest wait for the browser's proof; the edge takes it for so long. */
export const CHECK_MAX_MS = 120_000;
/** Longest wait for an answer; the edge gives up sooner and says so. */
export const RING_MAX_MS = 45_000;
/** Longest break of the media path that a call lives through. */
export const RECONNECT_MAX_MS = 10_000;

export const IDLE: CallState = { name: 'idle' };

/** Return whether a call is being made or held, so that a press ends it. */
export function isLive(state: CallState): boolean {
  switch (state.name) {
    case 'idle':
    case 'checking':
    case 'consent':
    case 'ended':
      return false;
    default:
      return true;
  }
}

/** Return the next state and what to do; inputs that do not apply change nothing. */
export function step(state: CallState, input: CallInput): Step {
  if (!isLive(state)) return stepAtRest(state, input);
  switch (input.type) {
    case 'dismiss':
    case 'site-checked':
    case 'agree':
    case 'decline':
      return [state, []];
    case 'press':
      return end('hung-up', 'hung_up');
    case 'removed':
      return end('closed', 'closed');
    case 'over':
      return [{ name: 'ended', reason: input.reason }, [hangUp('failed')]];
    case 'mute-press':
      return toggleMute(state);
    case 'microphone-granted':
      return takeMicrophone(state);
    case 'session-proving':
      return startChecking(state);
    case 'session-opened':
    case 'session-expired':
      return takeSession(state, input.type);
    case 'ringing':
      return state.name === 'connecting' && !state.isAnswered
        ? [{ name: 'ringing', isAnswered: false }, [arm(RING_MAX_MS)]]
        : [state, []];
    case 'answered':
      return state.name === 'connecting' || state.name === 'ringing'
        ? [{ ...state, isAnswered: true }, [arm(CONNECT_MAX_MS)]]
        : [state, []];
    case 'media-connected':
      return connectMedia(state, input.nowMs);
    case 'media-disconnected':
      return state.name === 'in-call'
        ? [{ ...state, name: 'reconnecting' }, [arm(RECONNECT_MAX_MS)]]
        : [state, []];
    case 'media-failed':
      return end(isTalking(state) ? 'connection-lost' : 'no-network-path', 'failed');
    case 'ending-soon':
      return isTalking(state)
        ? [{ ...state, endsAtMs: input.nowMs + input.leftS * 1000 }, []]
        : [state, []];
    case 'signaling-closed':
      return end(isTalking(state) ? 'connection-lost' : 'edge-unreachable', 'failed');
    case 'timeout':
      return end(timeoutCode(state), 'failed');
  }
}

function stepAtRest(state: CallState, input: CallInput): Step {
  switch (state.name) {
    case 'checking':
      if (input.type === 'site-checked') return enter(input.gate);
      return input.type === 'press' || input.type === 'removed' ? [IDLE, []] : [state, []];
    case 'consent':
      if (input.type === 'agree') return start(true);
      return input.type === 'decline' || input.type === 'removed' ? [IDLE, []] : [state, []];
    default:
      if (input.type === 'press') return pressAtRest(input.gate);
      return input.type === 'dismiss' && state.name === 'ended' ? [IDLE, []] : [state, []];
  }
}

function pressAtRest(gate: SiteGate = { kind: 'open' }): Step {
  return gate.kind === 'unknown' ? [{ name: 'checking' }, [{ type: 'check-site' }]] : enter(gate);
}

/** What is unknown even to the edge's answer, the session request decides. */
function enter(gate: SiteGate): Step {
  switch (gate.kind) {
    case 'closed':
      return [{ name: 'ended', reason: gate.reason }, []];
    case 'consent':
      return [{ name: 'consent', text: gate.text }, []];
    default:
      return start(false);
  }
}

function start(hasConsent: boolean): Step {
  return [
    { name: 'asking', session: 'opening' },
    [{ type: 'ask-for-microphone', hasConsent }, { type: 'open-session' }],
  ];
}

function end(code: EndCode, bye: ByeReason): Step {
  return [{ name: 'ended', reason: { code, detail: null } }, [hangUp(bye)]];
}

function hangUp(bye: ByeReason): CallEffect {
  return { type: 'hang-up', bye };
}

function arm(afterMs: number): CallEffect {
  return { type: 'arm', afterMs };
}

function isTalking(state: CallState): state is Extract<CallState, Talk> {
  return state.name === 'in-call' || state.name === 'reconnecting';
}

function takeMicrophone(state: CallState): Step {
  if (state.name !== 'asking') return [state, []];
  const next: CallState = { name: 'connecting', session: state.session, isAnswered: false };
  switch (state.session) {
    case 'opening':
      return [next, [arm(CONNECT_MAX_MS)]];
    case 'proving':
      return [next, [arm(CHECK_MAX_MS)]];
    case 'open':
      return [next, [{ type: 'start-call' }, arm(CONNECT_MAX_MS)]];
    case 'stale':
      return [{ ...next, session: 'opening' }, [{ type: 'open-session' }, arm(CONNECT_MAX_MS)]];
  }
}

function takeSession(state: CallState, type: 'session-opened' | 'session-expired'): Step {
  if (type === 'session-expired') {
    return state.name === 'asking' && state.session === 'open'
      ? [{ ...state, session: 'stale' }, []]
      : [state, []];
  }
  if (state.name === 'asking') return [{ ...state, session: 'open' }, []];
  if (state.name !== 'connecting') return [state, []];
  const next: CallState = { ...state, session: 'open' };
  switch (state.session) {
    case 'opening':
      return [next, [{ type: 'start-call' }]];
    case 'proving':
      return [next, [{ type: 'start-call' }, arm(CONNECT_MAX_MS)]];
    default:
      return [state, []];
  }
}

/** The proof runs beside the question for the microphone; who answered that waits for it. */
function startChecking(state: CallState): Step {
  if (state.name !== 'asking' && state.name !== 'connecting') return [state, []];
  if (state.session !== 'opening') return [state, []];
  const next: CallState = { ...state, session: 'proving' };
  return [next, state.name === 'connecting' ? [arm(CHECK_MAX_MS)] : []];
}

function connectMedia(state: CallState, nowMs: number): Step {
  switch (state.name) {
    case 'connecting':
    case 'ringing':
      return [{ name: 'in-call', sinceMs: nowMs, isMuted: false }, [{ type: 'disarm' }]];
    case 'reconnecting':
      return [{ ...state, name: 'in-call' }, [{ type: 'disarm' }]];
    default:
      return [state, []];
  }
}

function toggleMute(state: CallState): Step {
  if (state.name !== 'in-call' && state.name !== 'reconnecting') return [state, []];
  const isMuted = !state.isMuted;
  return [{ ...state, isMuted }, [{ type: 'set-muted', isMuted }]];
}

function timeoutCode(state: CallState): EndCode {
  if (state.name === 'reconnecting') return 'connection-lost';
  if (state.name !== 'connecting' && state.name !== 'ringing') return 'internal';
  if (state.name === 'connecting' && state.session === 'proving') return 'check-failed';
  if (state.isAnswered) return 'no-network-path';
  return state.name === 'ringing' ? 'no-answer' : 'edge-silent';
}
