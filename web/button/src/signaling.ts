/** The signaling socket of one call: opens, spends the grant, carries messages both ways. */

import { parseSignal, SUBPROTOCOL, type Report, type Signal } from './signals.js';

/** What the owner of a socket is told. After `onClose` nothing more comes. */
export interface SignalingEars {
  readonly onSignal: (signal: Signal) => void;
  readonly onClose: () => void;
}

export class Signaling {
  readonly #socket: WebSocket;
  #isQuiet = false;

  /** Throws a `DOMException` where the page may not open `url` at all. */
  constructor(url: string, token: string, ears: SignalingEars) {
    this.#socket = new WebSocket(url, SUBPROTOCOL);
    this.#socket.onopen = () => this.send({ type: 'start', token });
    this.#socket.onmessage = (event: MessageEvent<unknown>) => {
      const signal = typeof event.data === 'string' ? parseSignal(event.data) : null;
      if (!signal || this.#isQuiet) return;
      if (signal.type === 'over') this.#isQuiet = true;
      ears.onSignal(signal);
    };
    this.#socket.onclose = () => {
      if (!this.#isQuiet) ears.onClose();
      this.#isQuiet = true;
    };
  }

  /** Send, or drop where the socket is not open: every report is of use only now. */
  send(report: Report): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(report));
  }

  /** Close, with a goodbye unless the edge said it first; the owner hears nothing more. */
  close(bye: string): void {
    if (!this.#isQuiet) this.send({ type: 'bye', reason: bye });
    this.#isQuiet = true;
    this.#socket.close(1000);
  }
}
