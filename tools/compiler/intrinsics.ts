/**
 * The functions of kernel/abi/intrinsics.ts, one row each: where arguments go, where the result is, what else changes.
 * emitexpand.ts holds the instructions of each. `cstr` is no row: irbuild.ts replaces it. Imports mir.
 * Source: Intel SDM volume 2, the instruction of the name; Linux i386 system-call convention.
 */

import { Register } from "./mir";

/** Any register, as the allocator likes; or the first word of the outgoing stack arguments. */
export const ANY = -1;
export const STACK = -2;

export interface Intrinsic {
  parameters: number;
  hasResult: boolean;
  /** For each parameter a physical register, ANY or STACK. */
  arguments: readonly number[];
  /** A physical register, or ANY; meaningless without a result. */
  result: number;
  /** Physical registers changed besides the result: bit mask. */
  clobbers: number;
}

const [EAX, ECX, EDX] = [Register.EAX, Register.ECX, Register.EDX];
const [EBX, ESI, EDI] = [Register.EBX, Register.ESI, Register.EDI];

function row(args: readonly number[], result: number | null, clobbers: readonly number[] = []): Intrinsic {
  return {
    parameters: args.length,
    hasResult: result !== null,
    arguments: args,
    result: result ?? ANY,
    clobbers: clobbers.reduce((mask, register) => mask | (1 << register), 0),
  };
}

export const INTRINSICS: ReadonlyMap<string, Intrinsic> = new Map([
  ["inb", row([EDX], EAX)],
  ["inw", row([EDX], EAX)],
  ["inl", row([EDX], EAX)],
  ["outb", row([EDX, EAX], null)],
  ["outw", row([EDX, EAX], null)],
  ["outl", row([EDX, EAX], null)],
  ["insw", row([EDX, EDI, ECX], null, [EDI, ECX])],
  ["outsw", row([EDX, ESI, ECX], null, [ESI, ECX])],
  ["cli", row([], null)],
  ["sti", row([], null)],
  ["stiHlt", row([], null)],
  ["hlt", row([], null)],
  ["readEflags", row([], ANY)],
  ["writeEflags", row([ANY], null)],
  ["readEbp", row([], ANY)],
  ["readEsp", row([], ANY)],
  ["readCr0", row([], ANY)],
  ["readCr2", row([], ANY)],
  ["readCr3", row([], ANY)],
  ["readCr4", row([], ANY)],
  ["writeCr0", row([ANY], null)],
  ["writeCr3", row([ANY], null)],
  ["writeCr4", row([ANY], null)],
  ["invlpg", row([ANY], null)],
  ["lgdt", row([ANY], null)],
  ["lidt", row([ANY], null)],
  ["ltr", row([ANY], null)],
  ["rdtscLow", row([], EAX, [EDX])],
  ["syscall0", row([EAX], EAX)],
  ["syscall1", row([EAX, EBX], EAX)],
  ["syscall2", row([EAX, EBX, ECX], EAX)],
  ["syscall3", row([EAX, EBX, ECX, EDX], EAX)],
  ["syscall4", row([EAX, EBX, ECX, EDX, ESI], EAX)],
  ["syscall5", row([EAX, EBX, ECX, EDX, ESI, EDI], EAX)],
  ["syscall6", row([EAX, EBX, ECX, EDX, ESI, EDI, STACK], EAX)],
]);
