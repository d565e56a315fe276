/** The WebRTC side of one call, built from the grant and nothing else. */

import type { Grant } from './session.js';
import { summarizeStats, type StatsSummary } from './stats.js';

/** The edge takes no more; the last one says that all were sent. */
const CANDIDATES_MAX = 48;

/** What the owner of a peer is told. */
export interface PeerEars {
  readonly onCandidate: (candidate: RTCIceCandidate | null) => void;
  readonly onIceState: (state: RTCIceConnectionState) => void;
  readonly onConnection: (state: RTCPeerConnectionState) => void;
  readonly onRemoteStream: (stream: MediaStream) => void;
}

export class Peer {
  readonly #connection: RTCPeerConnection;
  #candidates = 0;

  constructor(grant: Grant, microphone: MediaStream, ears: PeerEars) {
    const connection = new RTCPeerConnection({
      iceServers: [...grant.iceServers],
      iceTransportPolicy: grant.iceTransportPolicy,
      bundlePolicy: 'max-bundle',
    });
    this.#connection = connection;
    connection.onicecandidate = (event) => this.#trickle(event.candidate, ears.onCandidate);
    connection.oniceconnectionstatechange = () => ears.onIceState(connection.iceConnectionState);
    connection.onconnectionstatechange = () => ears.onConnection(connection.connectionState);
    connection.ontrack = (event) =>
      ears.onRemoteStream(event.streams[0] ?? new MediaStream([event.track]));
    for (const track of microphone.getAudioTracks()) {
      preferCodecs(
        connection.addTransceiver(track, { direction: 'sendrecv', streams: [microphone] }),
        grant.codecPreference,
      );
    }
  }

  /** Return the offer's SDP; candidates follow through `onCandidate`. */
  async offer(): Promise<string> {
    await this.#connection.setLocalDescription();
    return this.#connection.localDescription?.sdp ?? '';
  }

  async applyAnswer(sdp: string): Promise<void> {
    await this.#connection.setRemoteDescription({ type: 'answer', sdp });
  }

  /** Measure the call as it is now. */
  async stats(): Promise<StatsSummary> {
    const rows: unknown[] = [];
    (await this.#connection.getStats()).forEach((row) => rows.push(row));
    return summarizeStats(rows);
  }

  close(): void {
    const connection = this.#connection;
    connection.onicecandidate = null;
    connection.oniceconnectionstatechange = null;
    connection.onconnectionstatechange = null;
    connection.ontrack = null;
    connection.close();
  }

  /** Browsers end with null, or with an empty candidate and then null: pass on null alone. */
  #trickle(candidate: RTCIceCandidate | null, tell: PeerEars['onCandidate']): void {
    if (candidate === null) return tell(null);
    if (candidate.candidate === '' || this.#candidates >= CANDIDATES_MAX) return;
    this.#candidates += 1;
    tell(candidate);
  }
}

/** Offer the preferred codecs alone, in order, with touch tones; all where none is known. */
function preferCodecs(transceiver: RTCRtpTransceiver, names: readonly string[]): void {
  const known = RTCRtpReceiver.getCapabilities('audio')?.codecs ?? [];
  const ordered = orderCodecs(known, names);
  if (ordered.length > 0) transceiver.setCodecPreferences([...ordered]);
}

/** Return the codecs that are named, in the order of the names, then telephone-event. */
export function orderCodecs<Codec extends { readonly mimeType: string }>(
  codecs: readonly Codec[],
  names: readonly string[],
): readonly Codec[] {
  const pick = (name: string): readonly Codec[] =>
    codecs.filter((codec) => codec.mimeType.toLowerCase() === `audio/${name.toLowerCase()}`);
  const named = names.flatMap(pick);
  return named.length > 0 ? [...named, ...pick('telephone-event')] : [];
}
