/**
 * The display adapter in text mode: the registers of a colour VGA at their ports, and the screen as a person sees it. May import
 * clock.ts, codepage.ts, port.ts. The buffer is RAM at B8000, 80 columns by 25 rows of a character and its attribute; there are no
 * graphics modes, no planes and no fonts: their registers keep what is written, so that drivers find what they left.
 *
 * Invariant: the beam is a function of the machine's cycles: 449 lines of LINE_CYCLES, 400 of them seen, 70 frames a second.
 * Source: IBM VGA technical reference (1992): CRT controller, attribute controller, input status registers; 720x400 timing.
 */

import { type Clock, NOMINAL_HZ } from "./clock";
import { CODE_PAGE_437 } from "./codepage";
import type { PortDevice } from "./port";

export const COLUMNS = 80;
export const ROWS = 25;
const BUFFER = 0xb8000;
const BUFFER_BYTES = 0x8000;

const ATTRIBUTE_INDEX = 0x3c0;
const ATTRIBUTE_READ = 0x3c1;
const INPUT_STATUS_0 = 0x3c2;
const SEQUENCER = 0x3c4;
const DAC_MASK = 0x3c6;
const DAC_READ_INDEX = 0x3c7;
const DAC_WRITE_INDEX = 0x3c8;
const DAC_DATA = 0x3c9;
const MISCELLANEOUS_READ = 0x3cc;
const GRAPHICS = 0x3ce;
const CRTC = 0x3d4;
/** Input status 1, also where a monochrome adapter would have it. */
const STATUS_MONO = 0x3ba;
const STATUS_COLOUR = 0x3da;

/** First port and count of each range that is the adapter's. */
export const DISPLAY_PORTS: readonly (readonly [number, number])[] = [
  [STATUS_MONO, 1],
  [ATTRIBUTE_INDEX, 16],
  [CRTC, 2],
  [STATUS_COLOUR, 1],
];

const LINE_HZ = 31_469;
const LINE_CYCLES = Math.round(NOMINAL_HZ / LINE_HZ);
const LINES = 449;
const LINES_SEEN = 400;
/** Lines of vertical retrace, from this one on. */
const RETRACE_LINE = 412;
const RETRACE_LINES = 2;
/** The part of a line that is seen: 80 of 100 characters. */
const LINE_SEEN_CYCLES = Math.round(LINE_CYCLES * 0.8);
const STATUS_HIDDEN = 0x01;
const STATUS_RETRACE = 0x08;

const enum Crtc {
  CursorStart = 0x0a,
  StartHigh = 0x0c,
  StartLow = 0x0d,
  CursorHigh = 0x0e,
  CursorLow = 0x0f,
  /** Vertical retrace end; bit 7 protects registers 0 to 7. */
  RetraceEnd = 0x11,
}
const CURSOR_OFF = 0x20;
const PROTECT = 0x80;
const ATTRIBUTE_MODE = 0x10;
const ATTRIBUTE_BLINKS = 0x08;

/** Registers of mode 3, text of 80 by 25, as firmware leaves them. */
const MODE3_CRTC = "5f4f50825581bf1f004f0d0e000000009c8e8f281f96b9a3ff";
const MODE3_ATTRIBUTES = "000102030405140738393a3b3c3d3e3f0c000f0800";
const MODE3_SEQUENCER = "0300030002";
const MODE3_GRAPHICS = "0000000000100e00ff";
const MISCELLANEOUS = 0x67;

const REGISTERS = 32;
const DAC_BYTES = 768;

function bank(text: string): Uint8Array {
  const registers = new Uint8Array(REGISTERS);
  for (let i = 0; i < text.length / 2; i++) registers[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return registers;
}

/** What is on the screen. */
export interface Screen {
  columns: number;
  rows: number;
  /** Code page 437, row by row. */
  characters: Uint8Array;
  /** Foreground in bits 3–0, background in bits 6–4, bit 7 blinks or is a bright background. */
  attributes: Uint8Array;
  blinks: boolean;
  /** Row and column, or null when it is off or elsewhere. */
  cursor: { row: number; column: number } | null;
}

/** The rows as text, without the blanks at their ends. */
export function screenRows({ columns, rows, characters }: Screen): string[] {
  return Array.from({ length: rows }, (_, row) =>
    [...characters.subarray(row * columns, (row + 1) * columns)]
      .map((code) => CODE_PAGE_437[code])
      .join("")
      .trimEnd(),
  );
}

/** The adapter as saved: its banks of registers one after the other, and the rest. */
export interface DisplayState {
  banks: Uint8Array[];
  registers: number[];
}

export class Display implements PortDevice {
  readonly byteWide = true;
  private readonly crtc = bank(MODE3_CRTC);
  private readonly attributes = bank(MODE3_ATTRIBUTES);
  private readonly sequencer = bank(MODE3_SEQUENCER);
  private readonly graphics = bank(MODE3_GRAPHICS);
  private readonly dac = new Uint8Array(DAC_BYTES);
  private crtcIndex = 0;
  private attributeIndex = 0x20;
  /** The next write to 0x3C0 is data. */
  private attributeData = 0;
  private sequencerIndex = 0;
  private graphicsIndex = 0;
  private miscellaneous = MISCELLANEOUS;
  private dacMask = 0xff;
  private dacRead = 0;
  private dacWrite = 0;

  constructor(private readonly clock: Clock) {}

  private get banks(): Uint8Array[] {
    return [this.crtc, this.attributes, this.sequencer, this.graphics, this.dac];
  }

  readPort(port: number): number {
    switch (port) {
      case ATTRIBUTE_INDEX:
        return this.attributeIndex;
      case ATTRIBUTE_READ:
        return this.attributes[this.attributeIndex % REGISTERS];
      case INPUT_STATUS_0:
        return 0;
      case SEQUENCER:
        return this.sequencerIndex;
      case SEQUENCER + 1:
        return this.sequencer[this.sequencerIndex % REGISTERS];
      case DAC_MASK:
        return this.dacMask;
      case DAC_WRITE_INDEX:
        return Math.floor(this.dacWrite / 3);
      case DAC_DATA: {
        const value = this.dac[this.dacRead];
        this.dacRead = (this.dacRead + 1) % DAC_BYTES;
        return value;
      }
      case MISCELLANEOUS_READ:
        return this.miscellaneous;
      case GRAPHICS:
        return this.graphicsIndex;
      case GRAPHICS + 1:
        return this.graphics[this.graphicsIndex % REGISTERS];
      case CRTC:
        return this.crtcIndex;
      case CRTC + 1:
        return this.crtc[this.crtcIndex % REGISTERS];
      case STATUS_MONO:
      case STATUS_COLOUR:
        this.attributeData = 0;
        return this.beam();
      default:
        return 0xff;
    }
  }

  writePort(port: number, _size: number, value: number): void {
    switch (port) {
      case ATTRIBUTE_INDEX:
        if (this.attributeData === 0) this.attributeIndex = value & 0x3f;
        else this.attributes[this.attributeIndex % REGISTERS] = value;
        this.attributeData ^= 1;
        break;
      case INPUT_STATUS_0:
        this.miscellaneous = value;
        break;
      case SEQUENCER:
        this.sequencerIndex = value;
        break;
      case SEQUENCER + 1:
        this.sequencer[this.sequencerIndex % REGISTERS] = value;
        break;
      case DAC_MASK:
        this.dacMask = value;
        break;
      case DAC_READ_INDEX:
        this.dacRead = 3 * value;
        break;
      case DAC_WRITE_INDEX:
        this.dacWrite = 3 * value;
        break;
      case DAC_DATA:
        this.dac[this.dacWrite] = value & 0x3f;
        this.dacWrite = (this.dacWrite + 1) % DAC_BYTES;
        break;
      case GRAPHICS:
        this.graphicsIndex = value;
        break;
      case GRAPHICS + 1:
        this.graphics[this.graphicsIndex % REGISTERS] = value;
        break;
      case CRTC:
        this.crtcIndex = value;
        break;
      case CRTC + 1:
        this.writeCrtc(this.crtcIndex % REGISTERS, value);
        break;
      default: // read only, or nobody's
    }
  }

  private writeCrtc(index: number, value: number): void {
    if (index < 8 && (this.crtc[Crtc.RetraceEnd] & PROTECT) !== 0) return;
    this.crtc[index] = value;
  }

  /** Input status 1: whether the beam is where nothing is seen, and whether it is in vertical retrace. */
  private beam(): number {
    const at = this.clock.cycles % (LINE_CYCLES * LINES);
    const line = Math.floor(at / LINE_CYCLES);
    const hidden = line >= LINES_SEEN || at % LINE_CYCLES >= LINE_SEEN_CYCLES;
    const retrace = line >= RETRACE_LINE && line < RETRACE_LINE + RETRACE_LINES;
    return (hidden ? STATUS_HIDDEN : 0) | (retrace ? STATUS_RETRACE : 0);
  }

  private crtcWord(high: number): number {
    return (this.crtc[high] << 8) | this.crtc[high + 1];
  }

  /** A copy of the screen out of RAM. The buffer's 32 KB wrap. */
  screen(ram: Uint8Array): Screen {
    const cells = COLUMNS * ROWS;
    const start = this.crtcWord(Crtc.StartHigh);
    const cell = (index: number, byte: number) => ram[BUFFER + ((2 * (start + index) + byte) % BUFFER_BYTES)];
    const position = (this.crtcWord(Crtc.CursorHigh) - start) & 0xffff;
    const seen = (this.crtc[Crtc.CursorStart] & CURSOR_OFF) === 0 && position < cells;
    return {
      columns: COLUMNS,
      rows: ROWS,
      characters: Uint8Array.from({ length: cells }, (_, index) => cell(index, 0)),
      attributes: Uint8Array.from({ length: cells }, (_, index) => cell(index, 1)),
      blinks: (this.attributes[ATTRIBUTE_MODE] & ATTRIBUTE_BLINKS) !== 0,
      cursor: seen ? { row: Math.floor(position / COLUMNS), column: position % COLUMNS } : null,
    };
  }

  save(): DisplayState {
    return {
      banks: this.banks.map((registers) => registers.slice()),
      registers: [
        this.crtcIndex,
        this.attributeIndex,
        this.attributeData,
        this.sequencerIndex,
        this.graphicsIndex,
        this.miscellaneous,
        this.dacMask,
        this.dacRead,
        this.dacWrite,
      ],
    };
  }

  restore(state: DisplayState): void {
    for (const [i, registers] of this.banks.entries()) registers.set(state.banks[i]);
    [
      this.crtcIndex,
      this.attributeIndex,
      this.attributeData,
      this.sequencerIndex,
      this.graphicsIndex,
      this.miscellaneous,
      this.dacMask,
      this.dacRead,
      this.dacWrite,
    ] = state.registers;
  }
}
