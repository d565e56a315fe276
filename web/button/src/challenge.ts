/** What the edge wants to see first, and how it is solved. */

import { numberOf, textOf, type JsonObject } from './json.js';
import { solveProof, type ProofChallenge } from './proof.js';
import { askProvider, type ProviderChallenge } from './provider.js';

export type Challenge = ProofChallenge | ProviderChallenge;

/** Return the challenge in a problem's body, or null for one that this version does not know. */
export function parseChallenge(told: JsonObject): Challenge | null {
  const kind = told['kind'];
  if (kind === 'turnstile' || kind === 'hcaptcha' || kind === 'recaptcha') {
    const siteKey = textOf(told['site_key']);
    return siteKey ? { kind, siteKey, version: numberOf(told['version']) ?? 0 } : null;
  }
  const [algorithm, challenge, salt, signature] = PROOF_TEXTS.map((name) => textOf(told[name]));
  const maxnumber = numberOf(told['maxnumber']);
  if (kind !== undefined || !algorithm || !challenge || !salt || !signature) return null;
  if (maxnumber === null) return null;
  return { kind: 'proof_of_work', algorithm, challenge, maxnumber, salt, signature };
}

const PROOF_TEXTS = ['algorithm', 'challenge', 'salt', 'signature'] as const;

/** Return what to send with the next request, or null where it could not be solved. */
export async function solveChallenge(
  challenge: Challenge,
  host: HTMLElement,
  signal: AbortSignal,
): Promise<string | null> {
  if (challenge.kind === 'proof_of_work') return solveProof(challenge, signal);
  return askProvider(challenge, host, signal).catch(() => null);
}
