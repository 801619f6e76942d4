/**
 * The keyboard of a PC/AT: what it answers to commands and sends of keys, in scan code set 2 or 1. May import scancodes.ts.
 * When its bytes reach the guest is the controller's affair. Keys wait until they are fetched, as if nobody typed faster than
 * the guest reads; while scanning is disabled they are lost. It repeats nothing: a host that holds a key down sends its code again.
 * Source: IBM PC/AT technical reference, keyboard commands; IBM PS/2 technical reference, keyboard (ED to FF, BAT).
 */

import { BREAK, BREAK_PREFIX, EXTENDED, PAUSE, SET1_TO_SET2 } from "./scancodes";

const enum Command {
  SetLeds = 0xed,
  Echo = 0xee,
  ScanCodeSet = 0xf0,
  Identify = 0xf2,
  Typematic = 0xf3,
  Enable = 0xf4,
  Disable = 0xf5,
  Defaults = 0xf6,
  Resend = 0xfe,
  Reset = 0xff,
}
/** Commands from here to 0xfd are about single keys of set 3: taken, without effect. */
const FIRST_OF_SET3 = 0xf7;
const LAST_OF_SET3 = 0xfd;

const ACKNOWLEDGE = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;
const IDENTITY = [0xab, 0x83];
/** Rate and delay at power-on: 10.9 characters a second after half a second. */
const DEFAULT_TYPEMATIC = 0x2b;

/** The keyboard as saved. */
export interface KeyboardState {
  replies: number[];
  keys: number[];
  registers: number[];
}

export class Keyboard {
  private replies: number[] = [];
  private keys: number[] = [];
  /** The command whose parameter comes next; 0: none. */
  private awaited = 0;
  private scanning = 1;
  private set = 2;
  private leds = 0;
  private typematic = DEFAULT_TYPEMATIC;
  private lastSent = 0;

  /** Whether it has a byte to send. */
  get hasByte(): boolean {
    return this.replies.length > 0 || this.keys.length > 0;
  }

  /** The next byte, answers before keys. Only while hasByte. */
  send(): number {
    this.lastSent = (this.replies.length > 0 ? this.replies : this.keys).shift() as number;
    return this.lastSent;
  }

  /** Keys go down and up: codes of set 1. */
  press(codes: ArrayLike<number>): void {
    if (this.scanning === 0) return;
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i];
      if (this.set === 1 || code === EXTENDED || code === PAUSE) this.keys.push(code);
      else {
        if ((code & BREAK) !== 0) this.keys.push(BREAK_PREFIX);
        this.keys.push(SET1_TO_SET2[code & ~BREAK]);
      }
    }
  }

  /** A byte from the controller: a command or the parameter of one. A command in place of a parameter is one. */
  receive(byte: number): void {
    const { awaited } = this;
    this.awaited = 0;
    if (awaited !== 0 && byte < 0x80) this.parameter(awaited, byte);
    else this.command(byte);
  }

  private parameter(command: number, value: number): void {
    if (command === Command.ScanCodeSet && value > 2) {
      this.replies.push(RESEND); // there is no set 3
      return;
    }
    this.replies.push(ACKNOWLEDGE);
    if (command === Command.SetLeds) this.leds = value & 7;
    else if (command === Command.Typematic) this.typematic = value;
    else if (value === 0) this.replies.push(this.set);
    else this.set = value;
  }

  private command(byte: number): void {
    switch (byte) {
      case Command.Echo:
        this.replies.push(Command.Echo);
        return;
      case Command.Resend:
        this.replies.push(this.lastSent);
        return;
      case Command.SetLeds:
      case Command.ScanCodeSet:
      case Command.Typematic:
        this.awaited = byte;
        break;
      case Command.Identify:
        this.replies.push(ACKNOWLEDGE, ...IDENTITY);
        return;
      case Command.Enable:
        this.keys = [];
        this.scanning = 1;
        break;
      case Command.Disable:
        this.defaults();
        this.scanning = 0;
        break;
      case Command.Defaults:
        this.defaults();
        break;
      case Command.Reset:
        this.defaults();
        this.leds = 0;
        this.scanning = 1;
        this.replies.push(ACKNOWLEDGE, SELF_TEST_PASSED);
        return;
      default:
        if (byte < FIRST_OF_SET3 || byte > LAST_OF_SET3) {
          this.replies.push(RESEND);
          return;
        }
    }
    this.replies.push(ACKNOWLEDGE);
  }

  private defaults(): void {
    this.keys = [];
    this.set = 2;
    this.typematic = DEFAULT_TYPEMATIC;
  }

  save(): KeyboardState {
    const { awaited, scanning, set, leds, typematic, lastSent } = this;
    return {
      replies: [...this.replies],
      keys: [...this.keys],
      registers: [awaited, scanning, set, leds, typematic, lastSent],
    };
  }

  restore(state: KeyboardState): void {
    this.replies = [...state.replies];
    this.keys = [...state.keys];
    [this.awaited, this.scanning, this.set, this.leds, this.typematic, this.lastSent] = state.registers;
  }
}
