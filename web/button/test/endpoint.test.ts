import { beforeAll, describe, expect, it, vi } from 'vitest';

let resolveEndpoint: (attribute: string | null, scriptUrl: string, baseUrl: string) => string | null;

beforeAll(async () => {
  class FakeScript {
    readonly src = 'https://edge.test/talk-button.js';
  }
  vi.stubGlobal('HTMLScriptElement', FakeScript);
  vi.stubGlobal('document', { currentScript: new FakeScript(), baseURI: 'https://shop.test/' });
  ({ resolveEndpoint } = await import('../src/endpoint.js'));
});

describe('resolveEndpoint', () => {
  const script = 'https://edge.test/assets/talk-button.js';
  const page = 'https://shop.test/about/';
  it.each([
    [null, script, 'https://edge.test'],
    [null, '', 'https://shop.test'],
    ['https://voice.test', script, 'https://voice.test'],
    ['https://voice.test:8443/talk/', script, 'https://voice.test:8443/talk'],
    ['/voice', script, 'https://shop.test/voice'],
    ['https://voice.test/?a=b#c', script, 'https://voice.test'],
    ['javascript:alert(1)', script, null],
    ['https://', script, null],
  ])('%s with a script from %s is %s', (attribute, scriptUrl, expected) => {
    expect(resolveEndpoint(attribute, scriptUrl, page)).toBe(expected);
  });
});
