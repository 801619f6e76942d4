/**
 * Console of a guest: wires stdin and stdout to a session. On a terminal every key goes to the guest (Ctrl-C too), and
 * Ctrl-A is the escape key, as in QEMU: x quits, Ctrl-A sends itself. May import Node and session.ts.
 * Invariant: the terminal's mode is put back however the session ends.
 */
import type { Session } from "./session";

const ESCAPE = 1;
const HELP = "\r\nCtrl-A x  quit    Ctrl-A Ctrl-A  send Ctrl-A    Ctrl-A h  this help\r\n";

/** Splits typed bytes into what the guest gets and what the escape key asks for; keeps the state between two calls. */
export class EscapeKey {
  private escaped = false;

  constructor(private readonly actions: { quit(): void; help(): void }) {}

  /** Returns the bytes for the guest. */
  filter(typed: Uint8Array): Uint8Array {
    const out: number[] = [];
    for (const byte of typed) {
      if (this.escaped) {
        this.escaped = false;
        if (byte === ESCAPE) out.push(ESCAPE);
        else if (byte === 0x78 || byte === 0x58) this.actions.quit();
        else if (byte === 0x68 || byte === 0x3f) this.actions.help();
      } else if (byte === ESCAPE) this.escaped = true;
      else out.push(byte);
    }
    return Uint8Array.from(out);
  }
}

/** Where input comes from when a command takes the user's stdin. */
export function inputKind(): "pipe" | "terminal" {
  return process.stdin.isTTY ? "terminal" : "pipe";
}

/** What happens to typed bytes on their way, and whether the escape key may write its help. */
export interface InputForm {
  encode(typed: Uint8Array): Uint8Array;
  help: boolean;
}
const AS_TYPED: InputForm = { encode: (typed) => typed, help: true };

/** Connects stdin to the session until `release` is called. */
export function attachInput(session: Session, form = AS_TYPED): { release(): void } {
  const { stdin } = process;
  const help = () => {
    if (form.help) process.stderr.write(HELP);
  };
  const escapeKey = new EscapeKey({ quit: () => session.stop(), help });
  const onData = (data: Buffer) =>
    session.input(form.encode(stdin.isTTY ? escapeKey.filter(data) : new Uint8Array(data)));
  const onEnd = () => session.inputEnd();
  const onSignal = () => session.stop();
  if (stdin.isTTY) stdin.setRawMode(true);
  stdin.on("data", onData);
  stdin.on("end", onEnd);
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    release() {
      stdin.off("data", onData);
      stdin.off("end", onEnd);
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
      if (stdin.isTTY) stdin.setRawMode(false);
      stdin.pause();
    },
  };
}

/** All of a stdin that is no terminal. */
export async function wholeInput(): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer);
  return new Uint8Array(Buffer.concat(pieces));
}

const CR = 13;
const LF = 10;

/**
 * Guest output for stdout. The guest's console ends its lines with CR LF; a file or pipe wants LF alone, and a terminal makes
 * CR LF of it by itself, in Node's raw mode too. A CR elsewhere stays. Keeps the state between two calls.
 */
export class ConsoleText {
  private heldCr = false;

  /** The bytes to write; a last CR is held until it is known what follows. */
  filter(bytes: Uint8Array): Uint8Array {
    const out: number[] = [];
    for (const byte of bytes) {
      if (this.heldCr && byte !== LF) out.push(CR);
      this.heldCr = byte === CR;
      if (!this.heldCr) out.push(byte);
    }
    return Uint8Array.from(out);
  }
}
