import { describe, expect, it } from 'vitest';

import { placeCaption } from '../src/captions.js';
import { parseSignal, type Caption } from '../src/signals.js';

const parse = (message: unknown): unknown => parseSignal(JSON.stringify(message));

describe('parseSignal', () => {
  it('reads every message of the edge', () => {
    expect(parse({ type: 'ready', call_id: 'c' })).toEqual({ type: 'ready' });
    expect(parse({ type: 'ringing' })).toEqual({ type: 'ringing' });
    expect(parse({ type: 'answer', sdp: 'v=0' })).toEqual({ type: 'answer', sdp: 'v=0' });
    expect(parse({ type: 'ending_soon', left_s: 30 })).toEqual({ type: 'ending-soon', leftS: 30 });
    expect(
      parse({ type: 'caption', speaker: 'bot', utterance_id: 'u1', text: 'Hi', final: true }),
    ).toEqual({
      type: 'caption',
      caption: { speaker: 'bot', utteranceId: 'u1', text: 'Hi', isFinal: true },
    });
  });

  it.each([
    ['visitor_hung_up', 'hung-up'],
    ['bot_hung_up', 'bot-hung-up'],
    ['operator_hung_up', 'operator-hung-up'],
    ['duration_limit', 'duration-limit'],
    ['gateway_unavailable', 'gateway-unavailable'],
    ['line_unavailable', 'line-unavailable'],
    ['bot_unavailable', 'bot-unavailable'],
    ['media_lost', 'connection-lost'],
    ['no_answer', 'no-answer'],
    ['internal', 'internal'],
    ['something_new', 'internal'],
    [7, 'internal'],
  ])('an end caused by %s is %s', (cause, code) => {
    expect(parse({ type: 'ended', cause, detail: 'Why.' })).toEqual({
      type: 'over',
      reason: { code, detail: 'Why.' },
    });
  });

  it.each([
    ['grant_expired', 'refused'],
    ['message_invalid', 'refused'],
    ['line_unavailable', 'line-unavailable'],
    ['budget_spent', 'budget-spent'],
  ])('an error %s is %s', (code, expected) => {
    expect(parse({ type: 'error', code })).toEqual({
      type: 'over',
      reason: { code: expected, detail: null },
    });
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '7',
    '{}',
    '{"type":"unheard_of"}',
    '{"type":"answer"}',
    '{"type":"ending_soon"}',
    '{"type":"ending_soon","left_s":0}',
    '{"type":"ending_soon","left_s":"30"}',
    '{"type":"answer","sdp":1}',
    '{"type":"caption","speaker":"cat","utterance_id":"u","text":"x"}',
    '{"type":"caption","speaker":"bot","utterance_id":"","text":"x"}',
    '{"type":"caption","speaker":"bot","utterance_id":"u","text":null}',
  ])('passes over %s', (text) => {
    expect(parseSignal(text)).toBeNull();
  });
});

describe('placeCaption', () => {
  const caption = (utteranceId: string, text: string, isFinal = false): Caption => ({
    speaker: 'bot',
    utteranceId,
    text,
    isFinal,
  });

  it('keeps sentences in the order in which they began', () => {
    const first = placeCaption([], caption('a', 'We'));
    const second = placeCaption(first, caption('b', 'And'));
    const third = placeCaption(second, caption('a', 'We are open', true));
    expect(third.map(({ text }) => text)).toEqual(['We are open', 'And']);
  });

  it('keeps a final wording when a draft comes late', () => {
    const final = placeCaption([], caption('a', 'We are open', true));
    expect(placeCaption(final, caption('a', 'We'))).toEqual(final);
  });

  it('takes a corrected final wording', () => {
    const final = placeCaption([], caption('a', 'We are open from nine', true));
    expect(placeCaption(final, caption('a', 'We are', true))[0]?.text).toBe('We are');
  });

  it('keeps the two sides apart', () => {
    const both = placeCaption([caption('a', 'x')], { ...caption('a', 'y'), speaker: 'visitor' });
    expect(both).toHaveLength(2);
  });
});
