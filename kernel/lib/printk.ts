/**
 * The kernel's own messages on the console, written at once by polling the UART, so that they come out whatever happens
 * next. Imports the UART driver and the formatter. Source: Linux's printk.
 */
import { uartWriteNow } from "../drivers/uart";
import { formatText } from "./format";

function consoleByte(_context: usize, byte: u32): void {
  if (byte == 0x0a) uartWriteNow(0x0d);
  uartWriteNow(byte);
}

/** Prints `format` with up to four arguments; directives as in formatText. */
export function printk(format: usize, a: u32 = 0, b: u32 = 0, c: u32 = 0, d: u32 = 0): void {
  formatText(consoleByte, 0, format, a, b, c, d);
}
