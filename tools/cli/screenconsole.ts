/**
 * The console that is the guest's screen and keyboard. May import cpu/ and the rest of tools/cli.
 * The serial port's output goes to stderr, at the end where stderr is a terminal too. Where stdout is no terminal the last screen
 * is printed as text at the end, and stdin is read whole before the start, so that the run can be repeated.
 */
import { type Screen, screenRows } from "../../cpu/index";
import type { GuestConsole } from "./console";
import { keysOfTerminal } from "./keys";
import { ScreenView } from "./screen";
import { attachInput, ConsoleText, wholeInput } from "./terminal";

export async function screenConsole(): Promise<GuestConsole> {
  const { stdin, stdout, stderr } = process;
  const text = new ConsoleText();
  const view = stdout.isTTY ? new ScreenView(!process.env.NO_COLOR) : undefined;
  const keys = stdin.isTTY ? new Uint8Array() : keysOfTerminal(await wholeInput());
  const kept: Uint8Array[] = [];
  let last: Screen | undefined;
  let input: { release(): void } | undefined;
  const show = () => {
    if (view !== undefined && last !== undefined)
      stdout.write(view.draw(last, { rows: stdout.rows || last.rows, columns: stdout.columns || last.columns }));
  };
  const redraw = () => {
    view?.forget();
    show();
  };
  return {
    spec: { input: stdin.isTTY ? "terminal" : "none", screen: { keys } },
    handlers: {
      serial(bytes) {
        if (view !== undefined && stderr.isTTY) kept.push(bytes);
        else stderr.write(text.filter(bytes));
      },
      screen(screen) {
        last = screen;
        show();
      },
    },
    attach(session) {
      if (view !== undefined) stdout.write(view.open());
      stdout.on("resize", redraw);
      if (stdin.isTTY) input = attachInput(session, { encode: keysOfTerminal, help: false });
    },
    release() {
      input?.release();
      stdout.off("resize", redraw);
      if (view !== undefined) stdout.write(view.close());
      if (last !== undefined) stdout.write(`${screenRows(last).join("\n").trimEnd()}\n`);
      for (const bytes of kept) stderr.write(text.filter(bytes));
    },
  };
}
