import { describe, expect, it } from 'vitest';

import { microphoneFailure } from '../src/microphone.js';
import { ENGLISH, formatLength, isFailure, pickTexts, type Texts } from '../src/texts.js';

describe('the English table', () => {
  it.each(Object.entries(ENGLISH.ends))('%s says what happened', (_code, { title }) => {
    expect(title).toMatch(/^[A-Z][^.]+$/);
  });

  it('says what to do after every end that is a failure', () => {
    for (const [code, { advice }] of Object.entries(ENGLISH.ends)) {
      if (isFailure(code as keyof Texts['ends'])) expect(advice, code).toMatch(/\.$/);
    }
  });

  it('uses no jargon in what a visitor reads', () => {
    const words = Object.values(ENGLISH.ends)
      .filter(({ advice }) => !advice.startsWith('For the owner'))
      .map(({ title, advice }) => `${title} ${advice}`)
      .join(' ');
    expect(words).not.toMatch(/\b(ICE|WebRTC|SDP|SIP|error|failed|invalid|null)\b/i);
  });
});

describe('isFailure', () => {
  it('tells a goodbye from a failure', () => {
    expect(isFailure('hung-up')).toBe(false);
    expect(isFailure('bot-hung-up')).toBe(false);
    expect(isFailure('connection-lost')).toBe(true);
  });
});

describe('pickTexts', () => {
  const german = { ...ENGLISH, label: 'Sprechen' };
  const tables = new Map<string, Texts>([
    ['en', ENGLISH],
    ['de', german],
  ]);
  it.each([
    [['de'], 'de'],
    [['de-AT'], 'de'],
    [['DE-at'], 'de'],
    [['fr', 'de'], 'de'],
    [['fr'], 'en'],
    [[''], 'en'],
    [[], 'en'],
  ])('%j takes %s', (languages, expected) => {
    expect(pickTexts(languages, tables)[0]).toBe(expected);
  });
});

describe('formatLength', () => {
  it.each([
    [0, '0:00'],
    [999, '0:00'],
    [65_000, '1:05'],
    [3_600_000, '60:00'],
    [-1, '0:00'],
  ])('%d ms is %s', (lengthMs, text) => {
    expect(formatLength(lengthMs)).toBe(text);
  });
});

describe('microphoneFailure', () => {
  it.each([
    ['NotAllowedError', 'mic-denied'],
    ['SecurityError', 'mic-policy'],
    ['NotFoundError', 'mic-missing'],
    ['OverconstrainedError', 'mic-missing'],
    ['NotReadableError', 'mic-busy'],
    ['AbortError', 'mic-busy'],
    ['TypeError', 'mic-failed'],
    ['', 'mic-failed'],
  ])('%s is %s', (name, code) => {
    expect(microphoneFailure(name)).toBe(code);
  });
});
