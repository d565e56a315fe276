/** Asking for the microphone, and why it was not given. */

import type { EndCode } from './state.js';

export type Microphone =
  | { readonly ok: true; readonly stream: MediaStream }
  | { readonly ok: false; readonly code: EndCode };

/** Ask for the microphone; call it inside the click, or Safari refuses. Never throws. */
export async function askForMicrophone(): Promise<Microphone> {
  const blocked = blockedBy();
  if (blocked) return { ok: false, code: blocked };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    return { ok: true, stream };
  } catch (error) {
    return { ok: false, code: microphoneFailure(error instanceof Error ? error.name : '') };
  }
}

/** Return why no question would even be asked, or null. */
function blockedBy(): EndCode | null {
  if (!window.isSecureContext) return 'mic-insecure';
  if (!('RTCPeerConnection' in window) || !navigator.mediaDevices) return 'unsupported';
  return isPolicyAllowing() ? null : 'mic-policy';
}

/** Chromium alone tells what the Permissions-Policy header or an iframe's `allow` forbid. */
function isPolicyAllowing(): boolean {
  const page = document as Document & {
    readonly featurePolicy?: { allowsFeature(feature: string): boolean };
  };
  return page.featurePolicy?.allowsFeature('microphone') ?? true;
}

/**
 * Return what the name of an error from `getUserMedia` means.
 *
 * Source: Media Capture and Streams, section 9.2.
 */
export function microphoneFailure(errorName: string): EndCode {
  switch (errorName) {
    case 'NotAllowedError':
      return 'mic-denied';
    case 'SecurityError':
      return 'mic-policy';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'mic-missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'mic-busy';
    default:
      return 'mic-failed';
  }
}
