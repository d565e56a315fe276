/** Where the edge is: the `endpoint` attribute, else the origin that the script came from. */

/** Remembered while the script runs; later nobody can tell. */
const SCRIPT_URL =
  document.currentScript instanceof HTMLScriptElement ? document.currentScript.src : '';

/** Return the edge's address without a slash at its end, or null when it makes no sense. */
export function resolveEndpoint(
  attribute: string | null,
  scriptUrl: string = SCRIPT_URL,
  baseUrl: string = document.baseURI,
): string | null {
  try {
    const url = attribute ? new URL(attribute, baseUrl) : new URL('/', scriptUrl || baseUrl);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return null;
    return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
  } catch {
    return null;
  }
}
