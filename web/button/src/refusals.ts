/** What the edge's codes for a refusal mean to the button. Pure. */

import type { EndCode } from './state.js';

/** Codes of the edge that have words of their own; there `-` is written `_`. */
const CODES = [
  'gateway-unavailable',
  'line-unavailable',
  'bot-unavailable',
  'limits-unavailable',
  'origin-refused',
  'site-unknown',
  'maintenance',
  'outside-hours',
  'consent-missing',
  'address-calls',
  'address-calls-per-hour',
  'address-sessions',
  'site-calls',
  'site-sessions',
  'budget-spent',
] as const satisfies readonly EndCode[];

const REFUSALS: ReadonlyMap<string, EndCode> = new Map<string, EndCode>([
  ...CODES.map((code) => [code.replaceAll('-', '_'), code] as const),
  ['challenge_needed', 'check-failed'],
  ['challenge_failed', 'check-failed'],
  ['all_calls', 'site-calls'],
  ['all_sessions', 'site-sessions'],
]);

/** Return the reason that stands for the edge's `code`, or null for one without own words. */
export function refusalCode(code: string | null): EndCode | null {
  return REFUSALS.get(code ?? '') ?? null;
}
