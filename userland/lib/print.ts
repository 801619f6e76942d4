/**
 * Output to file descriptor 1, in whole lines: bytes gather in one buffer that goes out with a single write(2) at each
 * newline, when it is full, and when the program ends, so that lines of several processes do not mix. What is pending at
 * a fork is in both processes, as in C: fork after a newline or after flush().
 * May import syscalls, string and strerror. Source of printf: ISO C 7.21.6.1, the part of it that integers and strings need.
 */
import { cstr } from "../../kernel/abi/intrinsics";
import { errorText } from "./strerror";
import { strlen } from "./string";
import { write } from "./syscalls";

const CAPACITY: usize = 1024;
const buffer: usize = memory.data(1024);
/** Room for 32 binary digits of a number. */
const digits: usize = memory.data(32);

let pending: usize = 0;

/** Writes all of the block to `fd`, however many write(2) calls that takes. 0, or -errno of the call that failed. */
export function writeAll(fd: i32, block: usize, bytes: usize): i32 {
  while (bytes != 0) {
    const done = write(fd, block, bytes);
    if (done < 0) return done;
    block += done;
    bytes -= done;
  }
  return 0;
}

/** Sends out what is pending. */
export function flush(): void {
  const bytes = pending;
  pending = 0;
  writeAll(1, buffer, bytes);
}

/** One byte. */
export function printChar(byte: u32): void {
  store<u8>(buffer + pending, u8(byte));
  pending++;
  if (byte == 0x0a || pending == CAPACITY) flush();
}

/** A string. */
export function print(text: usize): void {
  while (load<u8>(text) != 0) {
    printChar(load<u8>(text));
    text++;
  }
}

/** A string and a newline. */
export function printLine(text: usize): void {
  print(text);
  printChar(0x0a);
}

/** `value` in `base` (2 to 16), padded on the left with `pad` to at least `width` characters; `minus` puts a sign first. */
function printNumber(value: u32, base: u32, width: i32, pad: u32, minus: bool): void {
  let count: i32 = 0;
  do {
    const digit = value % base;
    store<u8>(digits + count, u8(digit < 10 ? digit + 0x30 : digit - 10 + 0x61));
    value /= base;
    count++;
  } while (value != 0);
  if (minus && pad == 0x30) printChar(0x2d);
  for (let i = count + i32(minus); i < width; i++) printChar(pad);
  if (minus && pad != 0x30) printChar(0x2d);
  while (count != 0) {
    count--;
    printChar(load<u8>(digits + count));
  }
}

/** A signed number in decimal. */
export function printDec(value: i32): void {
  printNumber(value < 0 ? -value : value, 10, 0, 0x20, value < 0);
}

/** An unsigned number in decimal. */
export function printUnsigned(value: u32): void {
  printNumber(value, 10, 0, 0x20, false);
}

/** Eight hexadecimal digits. */
export function printHex(value: u32): void {
  printNumber(value, 16, 8, 0x30, false);
}

/**
 * Output by a format: %d signed, %u unsigned, %x hexadecimal, %s string address, %c character, %% a percent sign; a width
 * between the percent sign and the letter pads on the left, with zeros if it begins with 0 ("%5d", "%08x"). Up to five
 * arguments; a letter that is none of these is printed as it stands.
 */
export function printf(format: usize, a: u32 = 0, b: u32 = 0, c: u32 = 0, d: u32 = 0, e: u32 = 0): void {
  let taken: i32 = 0;
  while (load<u8>(format) != 0) {
    let byte: u32 = load<u8>(format++);
    if (byte != 0x25) {
      printChar(byte);
      continue;
    }
    byte = load<u8>(format++);
    const pad: u32 = byte == 0x30 ? 0x30 : 0x20;
    let width: i32 = 0;
    while (byte - 0x30 < 10) {
      width = width * 10 + i32(byte - 0x30);
      byte = load<u8>(format++);
    }
    const value = taken == 0 ? a : taken == 1 ? b : taken == 2 ? c : taken == 3 ? d : e;
    taken++;
    switch (byte) {
      case 0x64: // d
        printNumber(i32(value) < 0 ? 0 - value : value, 10, width, pad, i32(value) < 0);
        break;
      case 0x75: // u
        printNumber(value, 10, width, pad, false);
        break;
      case 0x78: // x
        printNumber(value, 16, width, pad, false);
        break;
      case 0x73: // s
        for (let i = strlen(value); i < width; i++) printChar(0x20);
        print(value);
        break;
      case 0x63: // c
        printChar(value);
        break;
      case 0: // the format ends in a percent sign
        format--;
        break;
      default:
        taken--;
        printChar(byte);
    }
  }
}

/** A string to file descriptor 2, at once: error messages. */
export function printError(text: usize): void {
  flush();
  writeAll(2, text, strlen(text));
}

/** "NAME: TEXT\n" to file descriptor 2, at once. */
export function complain(name: usize, text: usize): void {
  printError(name);
  printError(cstr(": "));
  printError(text);
  printError(cstr("\n"));
}

/** Says on descriptor 2 why a system call of program `name` on `what` failed: "NAME: WHAT: REASON". 1, an exit status. */
export function failure(name: usize, what: usize, result: i32): i32 {
  printError(name);
  printError(cstr(": "));
  complain(what, errorText(result));
  return 1;
}
