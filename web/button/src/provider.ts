/**
 * Turnstile, hCaptcha and reCAPTCHA: their script is loaded only where the edge asks for it.
 *
 * What they show, if they show anything, stands in the page itself, inside the element: their
 * scripts do not all find their way in a shadow root.
 *
 * Source: developers.cloudflare.com/turnstile (explicit rendering), docs.hcaptcha.com
 * (configuration, invisible), developers.google.com/recaptcha/docs/invisible and /v3.
 */

export type ProviderKind = 'turnstile' | 'hcaptcha' | 'recaptcha';

export interface ProviderChallenge {
  readonly kind: ProviderKind;
  readonly siteKey: string;
  /** Of the reCAPTCHA key. */
  readonly version: number;
}

type Options = Readonly<Record<string, unknown>>;

/** What the three scripts have in common. */
interface Api {
  readonly render: (box: HTMLElement, options: Options) => unknown;
  readonly execute?: (key: unknown, options?: Options) => unknown;
  readonly ready?: (callback: () => void) => void;
}

/** As the edge expects it back from the provider. */
const ACTION = 'talkbutton';
const SCRIPT_MAX_MS = 15_000;
const READY = 'talkbuttonProviderReady';
export const SLOT = 'challenge';

const SCRIPTS: Readonly<Record<ProviderKind, readonly [url: string, api: string]>> = {
  turnstile: ['https://challenges.cloudflare.com/turnstile/v0/api.js', 'turnstile'],
  hcaptcha: ['https://js.hcaptcha.com/1/api.js', 'hcaptcha'],
  recaptcha: ['https://www.google.com/recaptcha/api.js', 'grecaptcha'],
};

/** Return the provider's token; throws where its script does not come, or says no. */
export async function askProvider(
  challenge: ProviderChallenge,
  host: HTMLElement,
  signal: AbortSignal,
): Promise<string> {
  const api = await loadApi(challenge);
  if (isScored(challenge)) {
    await new Promise<void>((resolve) => api.ready?.(resolve));
    return String(await api.execute?.(challenge.siteKey, { action: ACTION }));
  }
  const box = document.createElement('div');
  box.slot = SLOT;
  host.append(box);
  try {
    return await tokenOf(api, challenge, box, signal);
  } finally {
    box.remove();
  }
}

function tokenOf(
  api: Api,
  { kind, siteKey }: ProviderChallenge,
  box: HTMLElement,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new Error(`${kind} gave no token`));
    signal.addEventListener('abort', fail, { once: true });
    const common = {
      sitekey: siteKey,
      callback: resolve,
      'error-callback': fail,
      'close-callback': fail,
    };
    if (kind === 'turnstile') {
      api.render(box, { ...common, action: ACTION, appearance: 'interaction-only' });
      return;
    }
    const id = api.render(box, { ...common, size: 'invisible' });
    api.execute?.(id);
  });
}

function isScored({ kind, version }: ProviderChallenge): boolean {
  return kind === 'recaptcha' && version === 3;
}

/** Load the script once for a page; its own callback says when it can be used. */
function loadApi(challenge: ProviderChallenge): Promise<Api> {
  const [url, name] = SCRIPTS[challenge.kind];
  const globals = window as unknown as Record<string, unknown>;
  if (globals[name]) return Promise.resolve(globals[name] as Api);
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    const render = isScored(challenge) ? encodeURIComponent(challenge.siteKey) : 'explicit';
    const fail = (): void => {
      script.remove();
      reject(new Error(`${challenge.kind} could not be loaded`));
    };
    const clock = setTimeout(fail, SCRIPT_MAX_MS);
    globals[READY] = () => {
      clearTimeout(clock);
      resolve(globals[name] as Api);
    };
    script.onerror = fail;
    script.src = `${url}?onload=${READY}&render=${render}`;
    script.async = true;
    document.head.append(script);
  });
}
