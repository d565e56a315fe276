import { afterEach, describe, expect, it, vi } from 'vitest';

import { levelOf } from '../src/level.js';
import { orderCodecs } from '../src/peer.js';
import { cancelSession, openSession, parseGrant, parseRefusal } from '../src/session.js';
import { summarizeStats } from '../src/stats.js';

const BODY = {
  call_id: 'c',
  token: 't',
  expires_in_s: 60,
  signaling_url: 'ws://edge/v1/signaling',
  site: 'default',
  ice_servers: [{ urls: ['turn:a'], username: 'u', credential: 'p' }, { urls: 'stun:b' }, 7],
  ice_transport_policy: 'relay',
  codec_preference: ['opus', 3, 'PCMU'],
};

afterEach(() => vi.unstubAllGlobals());

describe('a session', () => {
  const unsolved = (): Promise<null> => Promise.resolve(null);
  const asked: [string, unknown][] = [];

  function answer(status: number, body: unknown): void {
    asked.length = 0;
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
      asked.push([url, JSON.parse(String(init.body))]);
      return Promise.resolve(new Response(JSON.stringify(body), { status }));
    });
  }

  it('is asked for and kept', async () => {
    answer(201, BODY);
    const opened = await openSession('https://edge', { site: 'default' }, new AbortController().signal, unsolved);
    expect(opened.ok).toBe(true);
    expect(asked).toEqual([['https://edge/v1/sessions', { site: 'default' }]]);
  });

  it('is given back when nobody wants it any more', async () => {
    answer(201, BODY);
    const unwanted = new AbortController();
    const opening = openSession('https://edge', { site: 'default' }, unwanted.signal, unsolved);
    unwanted.abort();
    await opening;
    expect(asked[1]).toEqual(['https://edge/v1/sessions/cancel', { token: 't' }]);
  });

  it('that was refused is not given back', async () => {
    answer(429, { code: 'address_calls', detail: 'No.' });
    const unwanted = new AbortController();
    unwanted.abort();
    await openSession('https://edge', { site: 'default' }, unwanted.signal, unsolved);
    expect(asked).toHaveLength(1);
  });

  it('that cannot be given back ends by itself', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('offline')));
    const grant = parseGrant(JSON.stringify(BODY));
    await expect(cancelSession('https://edge', grant!)).resolves.toBeUndefined();
  });
});

describe('parseGrant', () => {
  it('reads all that a call is built from', () => {
    expect(parseGrant(JSON.stringify(BODY))).toEqual({
      callId: 'c',
      token: 't',
      expiresInS: 60,
      signalingUrl: 'ws://edge/v1/signaling',
      iceServers: [{ urls: ['turn:a'], username: 'u', credential: 'p' }, { urls: ['stun:b'] }],
      iceTransportPolicy: 'relay',
      codecPreference: ['opus', 'PCMU'],
    });
  });

  it.each(['call_id', 'token', 'expires_in_s', 'signaling_url'])('needs %s', (key) => {
    expect(parseGrant(JSON.stringify({ ...BODY, [key]: undefined }))).toBeNull();
    expect(parseGrant(JSON.stringify({ ...BODY, [key]: {} }))).toBeNull();
  });

  it('does without ICE servers', () => {
    const grant = parseGrant(JSON.stringify({ ...BODY, ice_servers: null }));
    expect(grant?.iceServers).toEqual([]);
  });

  it('refuses what is not JSON', () => {
    expect(parseGrant('<html>')).toBeNull();
  });
});

describe('parseRefusal', () => {
  it.each([
    ['gateway_unavailable', 'gateway-unavailable'],
    ['line_unavailable', 'line-unavailable'],
    ['bot_unavailable', 'bot-unavailable'],
    ['origin_refused', 'origin-refused'],
    ['site_unknown', 'site-unknown'],
    ['maintenance', 'maintenance'],
    ['outside_hours', 'outside-hours'],
    ['consent_missing', 'consent-missing'],
    ['challenge_needed', 'check-failed'],
    ['challenge_failed', 'check-failed'],
    ['address_calls', 'address-calls'],
    ['address_calls_per_hour', 'address-calls-per-hour'],
    ['address_sessions', 'address-sessions'],
    ['site_calls', 'site-calls'],
    ['site_sessions', 'site-sessions'],
    ['all_calls', 'site-calls'],
    ['all_sessions', 'site-sessions'],
    ['budget_spent', 'budget-spent'],
    ['limits_unavailable', 'limits-unavailable'],
    ['too_many_calls', 'refused'],
  ])('%s is %s, in the words of the edge', (code, expected) => {
    const text = JSON.stringify({ code, detail: 'Because.' });
    expect(parseRefusal(503, text)).toEqual({ code: expected, detail: 'Because.' });
  });

  it('keeps how long to wait', () => {
    const refusal = (retry: unknown) =>
      parseRefusal(429, JSON.stringify({ code: 'site_calls', retry_after_s: retry }));
    expect(refusal(42)).toEqual({ code: 'site-calls', detail: null, retryAfterS: 42 });
    expect(refusal('soon')).toEqual({ code: 'site-calls', detail: null });
  });

  it('takes the error page of a proxy for an edge that is down', () => {
    expect(parseRefusal(502, '<html>Bad Gateway')).toEqual({
      code: 'edge-unreachable',
      detail: null,
    });
    expect(parseRefusal(404, 'Not Found').code).toBe('refused');
  });
});

describe('orderCodecs', () => {
  const codecs = ['audio/opus', 'audio/red', 'audio/G722', 'audio/PCMU', 'audio/telephone-event'].map(
    (mimeType) => ({ mimeType }),
  );
  const names = (wanted: readonly string[]): string[] =>
    orderCodecs(codecs, wanted).map(({ mimeType }) => mimeType);

  it('offers what is preferred, in that order, and touch tones', () => {
    expect(names(['pcmu', 'opus'])).toEqual(['audio/PCMU', 'audio/opus', 'audio/telephone-event']);
  });

  it('leaves the browser its own order where nothing preferred is known', () => {
    expect(names(['speex'])).toEqual([]);
    expect(names([])).toEqual([]);
  });
});

describe('levelOf', () => {
  it('is 0 for silence, 1 for a loud tone, and between for speech', () => {
    expect(levelOf([])).toBe(0);
    expect(levelOf([0, 0])).toBe(0);
    expect(levelOf([1, -1])).toBe(1);
    expect(levelOf([0.01, -0.01])).toBeCloseTo(20 / 48);
    expect(levelOf([0.0001, -0.0001])).toBe(0);
  });
});

describe('summarizeStats', () => {
  const rows = [
    { type: 'candidate-pair', id: 'P0', nominated: true, localCandidateId: 'X' },
    {
      type: 'candidate-pair',
      id: 'P1',
      localCandidateId: 'L',
      remoteCandidateId: 'R',
      currentRoundTripTime: 0.0123,
    },
    { type: 'local-candidate', id: 'L', candidateType: 'relay', protocol: 'udp', relayProtocol: 'tls' },
    { type: 'remote-candidate', id: 'R', candidateType: 'host' },
    { type: 'inbound-rtp', kind: 'audio', packetsReceived: 50, packetsLost: 1, jitter: 0.004, codecId: 'C' },
    { type: 'codec', id: 'C', mimeType: 'audio/opus' },
    { type: 'outbound-rtp', kind: 'video', packetsSent: 9 },
    7,
  ];

  it('names the pair that the transport selected, and what is heard', () => {
    const transport = { type: 'transport', id: 'T', selectedCandidatePairId: 'P1' };
    expect(summarizeStats([...rows, transport])).toEqual({
      local_candidate_type: 'relay',
      remote_candidate_type: 'host',
      protocol: 'udp',
      relay_protocol: 'tls',
      rtt_ms: 12.3,
      codec: 'audio/opus',
      packets_received: 50,
      packets_lost: 1,
      jitter_ms: 4,
    });
  });

  it('finds the pair that Firefox marks', () => {
    const marked = rows.map((row) =>
      typeof row === 'object' && 'id' in row && row.id === 'P1' ? { ...row, selected: true } : row,
    );
    expect(summarizeStats(marked)['local_candidate_type']).toBe('relay');
  });

  it('leaves out what is unknown', () => {
    expect(summarizeStats([])).toEqual({});
  });
});
