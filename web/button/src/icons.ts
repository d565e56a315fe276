/** Line drawings of the controls, built node by node: no markup is ever parsed. */

const SVG = 'http://www.w3.org/2000/svg';

const PATHS = {
  talk: 'M12 15a4 4 0 0 0 4-4V7a4 4 0 1 0-8 0v4a4 4 0 0 0 4 4Zm-7-4.5a7 7 0 0 0 14 0M12 17.5V21m-3.5 0h7',
  muted:
    'M16 9V7a4 4 0 0 0-7.5-1.9M8 8.5V11a4 4 0 0 0 6.3 3.25M5 10.5a7 7 0 0 0 11.5 5.4M19 10.5a7 7 0 0 1-.6 2.8M12 17.5V21m-3.5 0h7M4 4l16 16',
  hangUp:
    'M2.8 14.6c-.5-1.3-.2-2.5.9-3.5C6 9.1 8.9 8.2 12 8.2s6 .9 8.3 2.9c1.1 1 1.4 2.2.9 3.5l-.5 1.2a1 1 0 0 1-1.2.6l-3.2-.9a1 1 0 0 1-.7-1l.1-1.9a10.5 10.5 0 0 0-7.4 0l.1 1.9a1 1 0 0 1-.7 1l-3.2.9a1 1 0 0 1-1.2-.6Z',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7.5 8a7.5 7.5 0 0 1 15 0',
  bot: 'M7 8.5h10A2.5 2.5 0 0 1 19.5 11v5.5A2.5 2.5 0 0 1 17 19H7a2.5 2.5 0 0 1-2.5-2.5V11A2.5 2.5 0 0 1 7 8.5ZM12 8.5V5m0-.5v-.01M9.3 13v1.2M14.7 13v1.2',
  warning: 'M12 8v5m0 3v.01M10.3 4.3 2.8 17.2A2 2 0 0 0 4.5 20.2h15a2 2 0 0 0 1.7-3L13.7 4.3a2 2 0 0 0-3.4 0Z',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  close: 'M6 6l12 12M18 6L6 18',
} as const;

export type IconName = keyof typeof PATHS;

/** Return a drawing that screen readers pass over. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('focusable', 'false');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}
