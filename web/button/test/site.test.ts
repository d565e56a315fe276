import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { parseSite, SiteWatch } from '../src/site.js';

const open = { site: 'default', state: 'open' };
const closed = {
  site: 'default',
  state: 'outside_hours',
  detail: 'We are back tomorrow.',
  retry_after_s: 60,
};
const CLOSED = {
  kind: 'closed',
  reason: { code: 'outside-hours', detail: 'We are back tomorrow.', retryAfterS: 60 },
};
const OPEN = { kind: 'open' };
const UNKNOWN = { kind: 'unknown' };

describe('parseSite', () => {
  const parse = (status: number, body: unknown) => parseSite(status, JSON.stringify(body));

  it('lets a call start at an open site', () => {
    expect(parse(200, open)).toEqual(OPEN);
  });

  it('asks for consent where the owner does', () => {
    const answer = { ...open, consent_text: 'We record.' };
    expect(parse(200, answer)).toEqual({ kind: 'consent', text: 'We record.' });
  });

  it('says why a site is closed, in the words of the edge', () => {
    expect(parse(200, { ...closed, consent_text: 'We record.' })).toEqual(CLOSED);
    expect(parse(200, { state: 'maintenance', detail: 'Back at noon.' })).toEqual({
      kind: 'closed',
      reason: { code: 'maintenance', detail: 'Back at noon.' },
    });
  });

  it('names a site that does not exist', () => {
    expect(parse(404, { code: 'site_unknown', detail: 'No.' })).toEqual({
      kind: 'closed',
      reason: { code: 'site-unknown', detail: 'No.' },
    });
  });

  it.each([
    [404, '{"code":"not_found"}'],
    [404, 'Not Found'],
    [500, ''],
    [502, '<html>'],
    [200, '<html>'],
    [200, '[]'],
    [200, '{"state":"something_new"}'],
    [200, '{"state":7,"consent_text":7}'],
  ])('leaves the word to the session request after %d %s', (status, text) => {
    expect(parseSite(status, text)).toEqual(OPEN);
  });
});

describe('SiteWatch', () => {
  let answers: unknown[] = [];
  const fetched = vi.fn(async (url: string) => {
    const answer = answers.shift();
    if (!answer) throw new TypeError(`nobody is at ${url}`);
    return { status: 200, text: async () => JSON.stringify(answer) };
  });
  beforeEach(() => {
    fetched.mockClear();
    vi.stubGlobal('fetch', fetched);
  });
  afterEach(() => vi.unstubAllGlobals());

  const watch = (): SiteWatch => new SiteWatch('https://edge', 'a/b');

  it('knows nothing until it has asked', async () => {
    answers = [open];
    const site = watch();
    expect(site.gate(0)).toEqual(UNKNOWN);
    expect(await site.ask(0)).toEqual(OPEN);
    expect(site.gate(600_000)).toEqual(OPEN);
    expect(site.gate(600_001)).toEqual(UNKNOWN);
    expect(fetched.mock.calls[0]?.[0]).toBe('https://edge/v1/sites/a%2Fb');
  });

  it('asks once at a time, and not again while the answer is fresh', async () => {
    answers = [open, closed];
    const site = watch();
    await Promise.all([site.ask(0), site.ask(0)]);
    await site.ask(5_000);
    expect(fetched).toHaveBeenCalledTimes(1);
    expect(await site.ask(5_001)).toEqual(CLOSED);
  });

  it('does not believe for long that a site is closed', async () => {
    answers = [closed, open];
    const site = watch();
    await site.ask(0);
    expect(await site.ask(1_000)).toEqual(CLOSED);
    expect(site.gate(1_000)).toEqual(CLOSED);
    expect(site.gate(1_001)).toEqual(UNKNOWN);
    expect(await site.ask(1_001)).toEqual(OPEN);
  });

  it('lets the session request decide where the edge does not answer', async () => {
    answers = [];
    const site = watch();
    expect(await site.ask(0)).toEqual(OPEN);
    expect(site.gate(0)).toEqual(UNKNOWN);
    answers = [closed];
    expect(await site.ask(1)).toEqual(CLOSED);
  });

  it('asks again after the edge has said something else', async () => {
    answers = [open, closed];
    const site = watch();
    await site.ask(0);
    site.forget();
    expect(site.gate(1)).toEqual(UNKNOWN);
    expect(await site.ask(1)).toEqual(CLOSED);
  });
});
