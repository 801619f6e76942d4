/**
 * The guest's text screen on a terminal: what changed is drawn again, and nothing else. May import cpu/.
 * Invariant: between open() and close() the terminal shows its alternate screen, so that what was there comes back.
 * Source: ECMA-48 (CUP, ED, SGR); xterm control sequences (1049: alternate screen, 25: cursor).
 */
import { CODE_PAGE_437, type Screen } from "../../cpu/index";

const CSI = "\x1b[";
/** ANSI numbers of the PC's eight colours. */
const COLOURS = [0, 4, 2, 6, 1, 5, 3, 7];
const BRIGHT = 8;
const BLINK = 0x80;

/** Size of a terminal in characters. */
export interface TerminalSize {
  rows: number;
  columns: number;
}

/** SGR for an attribute byte. */
function colour(attribute: number, blinks: boolean): string {
  const foreground = ((attribute & BRIGHT) !== 0 ? 90 : 30) + COLOURS[attribute & 7];
  const bright = !blinks && (attribute & BLINK) !== 0;
  const background = (bright ? 100 : 40) + COLOURS[(attribute >> 4) & 7];
  return `${CSI}0;${foreground};${background}${blinks && (attribute & BLINK) !== 0 ? ";5" : ""}m`;
}

export class ScreenView {
  private shown: Screen | undefined;

  /** `colours`: false where NO_COLOR is set. */
  constructor(private readonly colours: boolean) {}

  open(): string {
    return `${CSI}?1049h${CSI}2J`;
  }

  close(): string {
    return `${this.colours ? `${CSI}0m` : ""}${CSI}?25h${CSI}?1049l`;
  }

  /** The terminal has lost what it showed: all is drawn next time. */
  forget(): void {
    this.shown = undefined;
  }

  /** What to write to the terminal to make it show a screen; what does not fit is left out. */
  draw(screen: Screen, size: TerminalSize): string {
    const pieces: string[] = [`${CSI}?25l`];
    if (this.shown === undefined) pieces.push(`${this.colours ? `${CSI}0m` : ""}${CSI}2J`);
    const columns = Math.min(screen.columns, size.columns);
    let attribute = -1;
    let expected = -1;
    for (let row = 0; row < Math.min(screen.rows, size.rows); row++) {
      for (let column = 0; column < columns; column++) {
        const cell = row * screen.columns + column;
        if (!this.differs(screen, cell)) continue;
        if (cell !== expected) pieces.push(`${CSI}${row + 1};${column + 1}H`);
        expected = column + 1 < columns ? cell + 1 : -1;
        if (this.colours && screen.attributes[cell] !== attribute) {
          attribute = screen.attributes[cell];
          pieces.push(colour(attribute, screen.blinks));
        }
        pieces.push(CODE_PAGE_437[screen.characters[cell]]);
      }
    }
    const { cursor } = screen;
    if (cursor !== null) pieces.push(`${CSI}${cursor.row + 1};${cursor.column + 1}H${CSI}?25h`);
    this.shown = screen;
    return pieces.join("");
  }

  private differs(screen: Screen, cell: number): boolean {
    const { shown } = this;
    if (shown === undefined || shown.blinks !== screen.blinks) return true;
    if (shown.characters[cell] !== screen.characters[cell]) return true;
    return this.colours && shown.attributes[cell] !== screen.attributes[cell];
  }
}
