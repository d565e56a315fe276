/**
 * One call, from press to end: carries out the effects of `state.ts` and reports what happens.
 *
 * A new press makes a new `Call`. After `hangUp` an old one reports nothing more, so that a
 * late answer to its questions cannot disturb the next.
 */

import { solveChallenge } from './challenge.js';
import { LevelMeter, type Levels } from './level.js';
import { askForMicrophone } from './microphone.js';
import { Peer } from './peer.js';
import { cancelSession, openSession, type Grant } from './session.js';
import { Signaling } from './signaling.js';
import type { Caption, Report, Signal } from './signals.js';
import type { ByeReason, CallInput, EndCode } from './state.js';
import type { StatsSummary } from './stats.js';

/** Where and for whom the call is made. */
export interface CallPlace {
  readonly endpoint: string;
  readonly site: string;
  /** Whether the visitor agreed to the site's consent text. */
  readonly hasConsent: boolean;
  /** The element in the page, for what a third party's challenge shows. */
  readonly host: HTMLElement;
}

/** What the owner of a call is told. */
export interface CallEars {
  readonly take: (input: CallInput) => void;
  readonly onCaption: (caption: Caption) => void;
  readonly onRemoteStream: (stream: MediaStream) => void;
}

const FIRST_STATS_MS = 1_000;
const STATS_EVERY_MS = 5_000;
/** The last measurement may delay the goodbye by so much. */
const LAST_STATS_MAX_MS = 250;
/** A grant is renewed when it has so little time left. */
const GRANT_MARGIN_S = 10;

export class Call {
  readonly #place: CallPlace;
  readonly #ears: CallEars;
  readonly #abort = new AbortController();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #clock: ReturnType<typeof setTimeout> | null = null;
  #isOver = false;
  #meter: LevelMeter | null = null;
  #microphone: MediaStream | null = null;
  #grant: Grant | null = null;
  #signaling: Signaling | null = null;
  #peer: Peer | null = null;
  #offer: Promise<string> | null = null;
  /** Reports that must wait until the offer was sent; null once it was. */
  #waiting: Report[] | null = [];
  #isMeasuring = false;
  #lastStats: StatsSummary | null = null;

  /** Make it inside the click, so that the browser lets the audio clock run. */
  constructor(place: CallPlace, ears: CallEars) {
    this.#place = place;
    this.#ears = ears;
    this.#withMeter(() => (this.#meter = new LevelMeter()));
  }

  levels(): Levels {
    return this.#meter?.levels() ?? { visitor: 0, bot: 0 };
  }

  resumeAudio(): void {
    this.#meter?.resume();
  }

  async askForMicrophone(): Promise<void> {
    const answer = await askForMicrophone();
    if (!answer.ok) return this.#fail(answer.code);
    if (this.#isOver) return stopTracks(answer.stream);
    this.#microphone = answer.stream;
    for (const track of answer.stream.getTracks()) track.onended = () => this.#fail('mic-lost');
    this.#withMeter(() => this.#meter?.watchVisitor(answer.stream));
    this.#take({ type: 'microphone-granted' });
  }

  async openSession(): Promise<void> {
    const { endpoint, site, hasConsent, host } = this.#place;
    const { signal } = this.#abort;
    if (this.#grant) await cancelSession(endpoint, this.#grant);
    const question = { site, ...(hasConsent ? { consent: true } : {}) };
    const answer = await openSession(endpoint, question, signal, (challenge) => {
      this.#take({ type: 'session-proving' });
      return solveChallenge(challenge, host, signal);
    });
    if (!answer.ok) return this.#take({ type: 'over', reason: answer.reason });
    this.#grant = answer.grant;
    const freshMs = (answer.grant.expiresInS - GRANT_MARGIN_S) * 1000;
    this.#later(() => this.#take({ type: 'session-expired' }), freshMs);
    this.#take({ type: 'session-opened' });
  }

  /** Open signaling and, meanwhile, make the offer; both grant and microphone are there. */
  startCall(): void {
    const grant = this.#grant;
    const microphone = this.#microphone;
    if (!grant || !microphone) return this.#failSoon('internal');
    try {
      this.#signaling = new Signaling(grant.signalingUrl, grant.token, {
        onSignal: (signal) => this.#hear(signal),
        onClose: () => this.#take({ type: 'signaling-closed' }),
      });
    } catch {
      return this.#failSoon('edge-unreachable');
    }
    try {
      this.#peer = this.#newPeer(grant, microphone);
    } catch {
      return this.#failSoon('internal');
    }
    this.#offer = this.#peer.offer();
    // Whoever awaits the offer hears of its failure; nobody might, when the call ends first.
    this.#offer.catch(() => undefined);
  }

  setMuted(isMuted: boolean): void {
    for (const track of this.#microphone?.getAudioTracks() ?? []) track.enabled = !isMuted;
  }

  /** Start the call's one clock, or start it anew. */
  arm(afterMs: number): void {
    this.disarm();
    this.#clock = setTimeout(() => this.#take({ type: 'timeout' }), afterMs);
  }

  disarm(): void {
    if (this.#clock !== null) clearTimeout(this.#clock);
    this.#clock = null;
  }

  /** Let go of everything: microphone first, so that the browser's light goes out at once. */
  hangUp(bye: ByeReason): void {
    this.#isOver = true;
    this.#abort.abort();
    if (this.#grant && !this.#signaling) void cancelSession(this.#place.endpoint, this.#grant);
    this.disarm();
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#microphone) stopTracks(this.#microphone);
    this.#meter?.close();
    if (bye === 'closed') this.#partNow(bye);
    else void this.#part(bye);
  }

  /** A page that closes leaves no time to measure: the last figures must do. */
  #partNow(bye: ByeReason): void {
    if (this.#lastStats) this.#sendStats(this.#lastStats, 'end');
    this.#signaling?.close(bye);
    this.#peer?.close();
  }

  async #part(bye: ByeReason): Promise<void> {
    const late = new Promise<null>((resolve) => setTimeout(resolve, LAST_STATS_MAX_MS, null));
    const measured = this.#peer?.stats().catch(() => null) ?? null;
    const stats = await Promise.race([measured, late]);
    if (stats) this.#lastStats = stats;
    this.#partNow(bye);
  }

  #newPeer(grant: Grant, microphone: MediaStream): Peer {
    return new Peer(grant, microphone, {
      onCandidate: (candidate) =>
        this.#sendAfterOffer({
          type: 'candidate',
          candidate: candidate?.candidate ?? null,
          sdpMid: candidate?.sdpMid ?? null,
          sdpMLineIndex: candidate?.sdpMLineIndex ?? null,
        }),
      onIceState: (ice) => this.#sendAfterOffer({ type: 'state', ice }),
      onConnection: (state) => this.#hearConnection(state),
      onRemoteStream: (stream) => {
        if (this.#isOver) return;
        this.#withMeter(() => this.#meter?.watchBot(stream));
        this.#ears.onRemoteStream(stream);
      },
    });
  }

  #hear(signal: Signal): void {
    if (this.#isOver) return;
    switch (signal.type) {
      case 'ready':
        return void this.#sendOffer();
      case 'ringing':
        return this.#take({ type: 'ringing' });
      case 'answer':
        return void this.#applyAnswer(signal.sdp);
      case 'caption':
        return this.#ears.onCaption(signal.caption);
      case 'ending-soon':
        return this.#take({ ...signal, nowMs: performance.now() });
      case 'over':
        return this.#take({ type: 'over', reason: signal.reason });
    }
  }

  #hearConnection(state: RTCPeerConnectionState): void {
    if (state === 'connected') {
      this.#take({ type: 'media-connected', nowMs: performance.now() });
      if (!this.#isMeasuring) this.#measureAfter(FIRST_STATS_MS);
      this.#isMeasuring = true;
    } else if (state === 'disconnected') {
      this.#take({ type: 'media-disconnected' });
    } else if (state === 'failed') {
      this.#take({ type: 'media-failed' });
    }
  }

  async #sendOffer(): Promise<void> {
    try {
      const sdp = (await this.#offer) ?? '';
      this.#signaling?.send({ type: 'offer', sdp });
    } catch {
      return this.#fail('internal');
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const report of waiting) this.#signaling?.send(report);
  }

  #sendAfterOffer(report: Report): void {
    if (this.#waiting) this.#waiting.push(report);
    else this.#signaling?.send(report);
  }

  async #applyAnswer(sdp: string): Promise<void> {
    this.#take({ type: 'answered' });
    try {
      await this.#peer?.applyAnswer(sdp);
    } catch {
      this.#fail('internal');
    }
  }

  /** Measure after a while, and from then on again and again. */
  #measureAfter(afterMs: number): void {
    this.#later(async () => {
      const stats = await this.#peer?.stats().catch(() => null);
      if (this.#isOver) return;
      if (stats) {
        this.#lastStats = stats;
        this.#sendStats(stats, 'call');
      }
      this.#measureAfter(STATS_EVERY_MS);
    }, afterMs);
  }

  #sendStats(stats: StatsSummary, phase: 'call' | 'end'): void {
    this.#signaling?.send({ ...stats, type: 'stats', phase });
  }

  #take(input: CallInput): void {
    if (!this.#isOver) this.#ears.take(input);
  }

  #fail(code: EndCode): void {
    this.#take({ type: 'over', reason: { code, detail: null } });
  }

  /** Report after the effects at hand are carried out: a machine takes one input at a time. */
  #failSoon(code: EndCode): void {
    queueMicrotask(() => this.#fail(code));
  }

  #later(action: () => void, afterMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, afterMs);
    this.#timers.add(timer);
  }

  /** A meter that the browser refuses costs the picture, never the call. */
  #withMeter(action: () => void): void {
    try {
      action();
    } catch {
      this.#meter = null;
    }
  }
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
