/**
 * Proof of work, beside the page where its policy lets us, else in slices between its frames.
 *
 * A worker's script must come from the page's own origin, which ours does not; so it is made from
 * a blob. A strict Content-Security-Policy without `worker-src blob:` forbids that, and so may
 * Trusted Types: then the page's own thread searches, a few milliseconds at a time.
 */

import { makeSearch } from './search.js';

/** ALTCHA's challenge, version 1. */
export interface ProofChallenge {
  readonly kind: 'proof_of_work';
  readonly algorithm: string;
  readonly challenge: string;
  readonly maxnumber: number;
  readonly salt: string;
  readonly signature: string;
}

/** Shorter than a frame, so that the page stays smooth. */
const SLICE_MS = 8;
const TRIES_AT_ONCE = 500;

const WORKER_SOURCE = `onmessage = ({ data }) => {
  postMessage((${makeSearch.toString()})(data.salt, data.challenge)(0, data.maxnumber + 1));
};`;

/** Return the solution to send to the edge, or null where there is none or it is not wanted. */
export async function solveProof(
  proof: ProofChallenge,
  signal: AbortSignal,
): Promise<string | null> {
  if (proof.algorithm !== 'SHA-256') return null;
  const found = await searchBeside(proof, signal).catch(() => searchInSlices(proof, signal));
  return found < 0 ? null : packSolution(proof, found);
}

export function packSolution(proof: ProofChallenge, number: number): string {
  const { algorithm, challenge, salt, signature } = proof;
  return btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
}

/** Search in a worker; throws where the page does not allow one. */
async function searchBeside(proof: ProofChallenge, signal: AbortSignal): Promise<number> {
  const url = URL.createObjectURL(new Blob([WORKER_SOURCE], { type: 'text/javascript' }));
  let worker: Worker | null = null;
  try {
    worker = new Worker(url);
    return await askWorker(worker, proof, signal);
  } finally {
    worker?.terminate();
    URL.revokeObjectURL(url);
  }
}

function askWorker(worker: Worker, proof: ProofChallenge, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(typeof data === 'number' ? data : -1);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error('no worker'));
    };
    signal.addEventListener('abort', () => resolve(-1), { once: true });
    const { salt, challenge, maxnumber } = proof;
    worker.postMessage({ salt, challenge, maxnumber });
  });
}

/** Search on this thread without holding it; -1 when nothing fits or it is not wanted. */
export async function searchInSlices(proof: ProofChallenge, signal: AbortSignal): Promise<number> {
  const search = makeSearch(proof.salt, proof.challenge);
  let from = 0;
  while (from <= proof.maxnumber && !signal.aborted) {
    const ends = performance.now() + SLICE_MS;
    do {
      const found = search(from, Math.min(TRIES_AT_ONCE, proof.maxnumber + 1 - from));
      if (found >= 0) return found;
      from += TRIES_AT_ONCE;
    } while (from <= proof.maxnumber && performance.now() < ends);
    await nextTask();
  }
  return -1;
}

/** Let the page do its own work. Timers would wait 4 ms, and a second in a hidden tab. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
