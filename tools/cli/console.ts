/**
 * How a guest shows itself, and a run with it: here its serial console on stdin and stdout, in screenconsole.ts its screen and
 * keyboard. May import session.ts and terminal.ts.
 */
import { Session, type SessionHandlers, type SessionResult, type SessionSpec } from "./session";
import { attachInput, ConsoleText, inputKind } from "./terminal";

export interface GuestConsole {
  spec: Pick<SessionSpec, "input" | "screen">;
  handlers: SessionHandlers;
  /** Connects stdin. */
  attach(session: Session): void;
  /** Gives the terminal back, and writes what was kept for the end. */
  release(): void;
}

/** The serial console: stdin, and what the guest writes on `output`. */
export function serialConsole(output: NodeJS.WriteStream): GuestConsole {
  const text = new ConsoleText();
  let input: { release(): void } | undefined;
  return {
    spec: { input: inputKind() },
    handlers: { serial: (bytes) => output.write(text.filter(bytes)) },
    attach(session) {
      input = attachInput(session);
    },
    release: () => input?.release(),
  };
}

/**
 * Runs a machine and returns how it ended. The machine's thread comes up while `makeSpec` is at work, which may build images and
 * fail; only then does the terminal belong to the guest.
 */
export async function runOnConsole(
  console: GuestConsole,
  makeSpec: () => Promise<Omit<SessionSpec, "input" | "screen">>,
): Promise<SessionResult> {
  const session = new Session(console.handlers);
  try {
    session.start({ ...(await makeSpec()), ...console.spec });
    console.attach(session);
    return await session.result.finally(() => console.release());
  } finally {
    await session.close();
  }
}
