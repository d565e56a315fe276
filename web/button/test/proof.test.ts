import { describe, expect, it } from 'vitest';

import { parseChallenge } from '../src/challenge.js';
import { packSolution, searchInSlices, solveProof, type ProofChallenge } from '../src/proof.js';
import { makeSearch } from '../src/search.js';

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const SALT = '018f0000000000000000000000000001?expires=1800000120&cost=500&bound=364c56cd54a204b1&';
/** As the edge's own test has it. */
const PROOF: ProofChallenge = {
  kind: 'proof_of_work',
  algorithm: 'SHA-256',
  challenge: 'a9f059310cdd9998999ce84a7d1b73bea574eb24a47ac3dfdbfe89bdb296ad4e',
  maxnumber: 1_000,
  salt: SALT,
  signature: 'e51ff5c30d8047be28c9005e25da8531d0df75fef1739b9bcaac7bb17ff37861',
};
const GOES_ON = new AbortController().signal;

describe('makeSearch', () => {
  it('finds the number of a known challenge', () => {
    expect(makeSearch(SALT, PROOF.challenge)(0, 1_001)).toBe(42);
  });

  it('hashes as the browser does, whatever the length of salt and number', async () => {
    for (let length = 0; length < 200; length += 1) {
      const salt = `ü${'s'.repeat(length)}`;
      const number = 7 * 10 ** (length % 9);
      const search = makeSearch(salt, await sha256(`${salt}${number}`));
      expect(search(number - 3, 7), `${length} letters`).toBe(number);
      expect(search(number + 1, 7)).toBe(-1);
    }
  });

  it('looks at the whole hash', () => {
    for (let at = 0; at < 64; at += 1) {
      const digit = PROOF.challenge[at] === '0' ? '1' : '0';
      const wrong = PROOF.challenge.slice(0, at) + digit + PROOF.challenge.slice(at + 1);
      expect(makeSearch(SALT, wrong)(42, 1)).toBe(-1);
    }
  });

  it('is whole in its own text, as the worker needs it', () => {
    const again = new Function(`return (${makeSearch.toString()})`)() as typeof makeSearch;
    expect(again(SALT, PROOF.challenge)(0, 1_001)).toBe(42);
  });
});

describe('solveProof', () => {
  const packed = packSolution(PROOF, 42);

  it('packs what ALTCHA packs', () => {
    const { algorithm, challenge, salt, signature } = PROOF;
    expect(JSON.parse(atob(packed))).toEqual({
      algorithm,
      challenge,
      number: 42,
      salt,
      signature,
    });
  });

  it('does without a worker', async () => {
    expect(typeof Worker).toBe('undefined');
    expect(await solveProof(PROOF, GOES_ON)).toBe(packed);
  });

  it('finds the last number and looks no further', async () => {
    const last = { ...PROOF, maxnumber: 42 };
    expect(await searchInSlices(last, GOES_ON)).toBe(42);
    expect(await searchInSlices({ ...last, maxnumber: 41 }, GOES_ON)).toBe(-1);
  });

  it('lets others work in between, and stops when told to', async () => {
    const stop = new AbortController();
    const endless = { ...PROOF, challenge: '0'.repeat(64), maxnumber: 1e12 };
    const found = searchInSlices(endless, stop.signal);
    let tasks = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        tasks += 1;
        if (tasks < 5) return;
        clearInterval(timer);
        stop.abort();
        resolve();
      }, 1);
    });
    expect(await found).toBe(-1);
  });

  it('knows one algorithm', async () => {
    expect(await solveProof({ ...PROOF, algorithm: 'SHA-512' }, GOES_ON)).toBeNull();
  });
});

describe('parseChallenge', () => {
  const { kind: _, ...told } = PROOF;

  it('reads what the edge asks for', () => {
    expect(parseChallenge(told)).toEqual(PROOF);
    expect(parseChallenge({ kind: 'turnstile', site_key: 'k' })).toEqual({
      kind: 'turnstile',
      siteKey: 'k',
      version: 0,
    });
    expect(parseChallenge({ kind: 'recaptcha', site_key: 'k', version: 3 })).toEqual({
      kind: 'recaptcha',
      siteKey: 'k',
      version: 3,
    });
  });

  it.each(['algorithm', 'challenge', 'maxnumber', 'salt', 'signature'])('needs %s', (key) => {
    expect(parseChallenge({ ...told, [key]: undefined })).toBeNull();
    expect(parseChallenge({ ...told, [key]: {} })).toBeNull();
  });

  it('does not guess', () => {
    expect(parseChallenge({ ...told, kind: 'puzzle' })).toBeNull();
    expect(parseChallenge({ kind: 'hcaptcha' })).toBeNull();
    expect(parseChallenge({})).toBeNull();
  });
});
