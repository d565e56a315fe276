/**
 * The search for a proof of work's number: SHA-256 of salt and number, again and again. Pure.
 *
 * Source: FIPS 180-4. `crypto.subtle` would do, but it answers by promise, which makes it
 * sixteen times slower; here whole blocks of the salt are hashed once, so that a try is one block.
 */

/** Try `count` numbers from `from` on; return the one that fits, or -1. */
export type Search = (from: number, count: number) => number;

/**
 * Return a search for the number whose hash, after `salt`, is `challenge` (64 hex digits).
 *
 * Everything it uses is inside: its source text is also what the worker runs.
 */
export function makeSearch(salt: string, challenge: string): Search {
  const constants = new Int32Array(64);
  const initial = new Int32Array(8);
  for (let candidate = 2, found = 0; found < 64; candidate += 1) {
    let divisor = 2;
    while (divisor * divisor <= candidate && candidate % divisor !== 0) divisor += 1;
    if (divisor * divisor <= candidate) continue;
    // The first 32 bits of the fractions: `| 0` drops the whole part and what is behind.
    if (found < 8) initial[found] = (Math.sqrt(candidate) * 2 ** 32) | 0;
    constants[found] = (Math.cbrt(candidate) * 2 ** 32) | 0;
    found += 1;
  }
  const target = new Int32Array(8);
  for (let word = 0; word < 8; word += 1) {
    target[word] = parseInt(challenge.slice(8 * word, 8 * word + 8), 16) | 0;
  }
  const words = new Int32Array(64);

  /** Return in `out` the state after one block of `bytes`. */
  function compress(out: Int32Array, state: Int32Array, bytes: Uint8Array, at: number): void {
    for (let i = 0; i < 16; i += 1, at += 4) {
      words[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    }
    for (let i = 16; i < 64; i += 1) {
      const x = words[i - 15]!;
      const y = words[i - 2]!;
      const small0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const small1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      words[i] = (words[i - 16]! + small0 + words[i - 7]! + small1) | 0;
    }
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    let e = state[4]!;
    let f = state[5]!;
    let g = state[6]!;
    let h = state[7]!;
    for (let i = 0; i < 64; i += 1) {
      const big1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const big0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const one = (h + big1 + ((e & f) ^ (~e & g)) + constants[i]! + words[i]!) | 0;
      const two = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    out[0] = state[0]! + a;
    out[1] = state[1]! + b;
    out[2] = state[2]! + c;
    out[3] = state[3]! + d;
    out[4] = state[4]! + e;
    out[5] = state[5]! + f;
    out[6] = state[6]! + g;
    out[7] = state[7]! + h;
  }

  const prefix = new TextEncoder().encode(salt);
  const restLength = prefix.length % 64;
  const afterPrefix = initial.slice();
  for (let at = 0; at + 64 <= prefix.length; at += 64) {
    compress(afterPrefix, afterPrefix.slice(), prefix, at);
  }
  const rest = new Uint8Array(128);
  rest.set(prefix.subarray(prefix.length - restLength));
  const state = new Int32Array(8);

  function fits(number: number): boolean {
    const digits = String(number);
    const length = restLength + digits.length;
    for (let i = 0; i < digits.length; i += 1) rest[restLength + i] = digits.charCodeAt(i);
    const end = length + 9 <= 64 ? 64 : 128;
    rest.fill(0, length, end);
    rest[length] = 0x80;
    const bits = 8 * (prefix.length + digits.length);
    rest[end - 3] = bits >>> 16;
    rest[end - 2] = bits >>> 8;
    rest[end - 1] = bits;
    compress(state, afterPrefix, rest, 0);
    if (end === 128) compress(state, state.slice(), rest, 64);
    if (state[0] !== target[0]) return false;
    return state.every((word, i) => word === target[i]);
  }

  return (from, count) => {
    for (let number = from; number < from + count; number += 1) if (fits(number)) return number;
    return -1;
  };
}
