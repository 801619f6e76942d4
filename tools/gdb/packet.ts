/**
 * Frames of gdb's remote protocol: `$` body `#` and two hexadecimal digits, the sum of the body's bytes modulo 256. May import nothing.
 *
 * Bodies are strings of bytes (latin1). Received: `}` and a byte stand for that byte xor 0x20. Sent: `$ # } *` are escaped so, and
 * a run of a byte is that byte, `*` and a byte that says how often it comes again, plus 29.
 * Invariant: whatever bytes come, nothing is thrown and what is kept of them is bounded.
 * Source: the gdb manual, "Remote Protocol", Overview.
 */

/** Bytes of the longest body that is taken, escapes counted; gdb is told. */
export const PACKET_BYTES = 0x8000;

export type Received =
  | { kind: "packet"; body: string }
  /** A packet whose sum is wrong. */
  | { kind: "damaged" }
  /** ^C between packets. */
  | { kind: "interrupt" }
  | { kind: "acknowledged"; ok: boolean };

const SUM = /^[0-9a-fA-F]{2}$/;
const INTERRUPT = "\x03";

/** Makes packets of a stream of bytes, however it is cut. */
export class PacketReader {
  private rest = "";

  /** What the bytes so far, with these, make whole. */
  feed(bytes: Uint8Array): Received[] {
    this.rest += Buffer.from(bytes).toString("latin1");
    const received: Received[] = [];
    let at = 0;
    while (at < this.rest.length) {
      const first = this.rest[at];
      if (first === "+" || first === "-") received.push({ kind: "acknowledged", ok: first === "+" });
      else if (first === INTERRUPT) received.push({ kind: "interrupt" });
      else if (first === "$") {
        const end = this.rest.indexOf("#", at);
        // A new `$` before the end: the packet that it is in was cut short.
        const next = this.rest.indexOf("$", at + 1);
        if (next >= 0 && (end < 0 || next < end)) {
          at = next;
          continue;
        }
        if (end < 0 || end + 2 >= this.rest.length) break;
        const digits = this.rest.slice(end + 1, end + 3);
        received.push(open(this.rest.slice(at + 1, end), digits));
        // Where there are no digits, the next packet may begin.
        at = SUM.test(digits) ? end + 2 : end;
      }
      at++;
    }
    this.rest = this.rest.slice(at);
    if (this.rest.length > PACKET_BYTES) {
      this.rest = "";
      received.push({ kind: "damaged" });
    }
    return received;
  }
}

function open(body: string, digits: string): Received {
  if (!SUM.test(digits) || Number.parseInt(digits, 16) !== sum(body)) return { kind: "damaged" };
  const plain = body.replace(/\}(.)/gs, (_, byte: string) => String.fromCharCode(byte.charCodeAt(0) ^ 0x20));
  return { kind: "packet", body: plain };
}

function sum(body: string): number {
  let total = 0;
  for (let i = 0; i < body.length; i++) total += body.charCodeAt(i);
  return total & 0xff;
}

/** A body (of latin1 characters) in its frame. */
export function frame(body: string): Uint8Array {
  const escaped = body.replace(/[$#}*]/g, (byte) => `}${String.fromCharCode(byte.charCodeAt(0) ^ 0x20)}`);
  const shortened = escaped.replace(/([^}])\1{3,}/g, shorten);
  return Buffer.from(`$${shortened}#${sum(shortened).toString(16).padStart(2, "0")}`, "latin1");
}

/** Most repetitions that one printable byte can say, and those whose byte would be `#` or `$`. */
const MOST_REPETITIONS = 97;
const FORBIDDEN = [6, 7];

function shorten(run: string, byte: string): string {
  let text = "";
  let left = run.length;
  while (left > 0) {
    let again = Math.min(left - 1, MOST_REPETITIONS);
    while (FORBIDDEN.includes(again)) again--;
    text += again < 3 ? byte.repeat(again + 1) : `${byte}*${String.fromCharCode(again + 29)}`;
    left -= again + 1;
  }
  return text;
}

/** Bytes as pairs of hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The bytes of pairs of hexadecimal digits; undefined for a text that is none. */
export function fromHex(text: string): Uint8Array | undefined {
  return text.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(text) ? Buffer.from(text, "hex") : undefined;
}
