/**
 * What `getStats` says about a call, as flat measures with units in their names. Pure.
 *
 * A measure that the browser does not have is left out.
 * Source: W3C webrtc-stats.
 */

import { isObject, numberOf, textOf, type JsonObject } from './json.js';

export type StatsSummary = Readonly<Record<string, string | number>>;

/** Return the measures of the selected pair, of what is heard and of what is sent. */
export function summarizeStats(rows: readonly unknown[]): StatsSummary {
  const all = rows.filter(isObject);
  const pair = selectedPair(all);
  const local = byId(all, pair?.['localCandidateId']);
  const remote = byId(all, pair?.['remoteCandidateId']);
  const inbound = audioRow(all, 'inbound-rtp');
  const outbound = audioRow(all, 'outbound-rtp');
  const far = audioRow(all, 'remote-inbound-rtp');
  return present({
    local_candidate_type: textOf(local?.['candidateType']),
    remote_candidate_type: textOf(remote?.['candidateType']),
    protocol: textOf(local?.['protocol']),
    relay_protocol: textOf(local?.['relayProtocol']),
    rtt_ms: milliseconds(pair?.['currentRoundTripTime']),
    codec: textOf(byId(all, inbound?.['codecId'])?.['mimeType']),
    packets_received: numberOf(inbound?.['packetsReceived']),
    packets_lost: numberOf(inbound?.['packetsLost']),
    jitter_ms: milliseconds(inbound?.['jitter']),
    concealed_samples: numberOf(inbound?.['concealedSamples']),
    packets_sent: numberOf(outbound?.['packetsSent']),
    far_packets_lost: numberOf(far?.['packetsLost']),
    far_jitter_ms: milliseconds(far?.['jitter']),
  });
}

/** Chromium names the pair on the transport; Firefox marks the pair itself. */
function selectedPair(rows: readonly JsonObject[]): JsonObject | undefined {
  const transport = rows.find((row) => row['type'] === 'transport');
  return (
    byId(rows, transport?.['selectedCandidatePairId']) ??
    rows.find((row) => row['type'] === 'candidate-pair' && row['selected'] === true) ??
    rows.find((row) => row['type'] === 'candidate-pair' && row['nominated'] === true)
  );
}

function byId(rows: readonly JsonObject[], id: unknown): JsonObject | undefined {
  return typeof id === 'string' ? rows.find((row) => row['id'] === id) : undefined;
}

function audioRow(rows: readonly JsonObject[], type: string): JsonObject | undefined {
  return rows.find((row) => row['type'] === type && row['kind'] === 'audio');
}

function milliseconds(seconds: unknown): number | null {
  const value = numberOf(seconds);
  return value === null ? null : Math.round(value * 10_000) / 10;
}

function present(measures: Readonly<Record<string, string | number | null>>): StatsSummary {
  const kept: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(measures)) if (value !== null) kept[name] = value;
  return kept;
}
