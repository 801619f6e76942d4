/**
 * Progress on stderr: one line rewritten in place on a terminal, a plain line now and then elsewhere. Never on stdout,
 * where data goes. May import Node only.
 */

/** Shortest time between two lines, in milliseconds, on a terminal and elsewhere. */
const TERMINAL_INTERVAL = 100;
const PLAIN_INTERVAL = 5000;

export class Progress {
  private last = 0;
  private width = 0;

  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {}

  /** Shows `text` as the current state; drops it when the last one is too recent. */
  update(text: string): void {
    const now = Date.now();
    if (now - this.last < (this.stream.isTTY ? TERMINAL_INTERVAL : PLAIN_INTERVAL)) return;
    this.last = now;
    this.write(text);
  }

  /** Removes the line from a terminal; nothing elsewhere. */
  clear(): void {
    if (this.stream.isTTY && this.width > 0) this.stream.write(`\r${" ".repeat(this.width)}\r`);
    this.width = 0;
  }

  private write(text: string): void {
    if (!this.stream.isTTY) {
      this.stream.write(`${text}\n`);
      return;
    }
    const line = text.slice(0, Math.max(20, (this.stream.columns || 80) - 1));
    this.stream.write(`\r${line.padEnd(this.width)}`);
    this.width = line.length;
  }
}

/** 1234567 -> "1.2 M": for progress lines. */
export function short(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} G`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} M`;
  if (count >= 1e3) return `${(count / 1e3).toFixed(1)} k`;
  return String(count);
}
