/**
 * The end of a kernel that cannot go on: says why, with the registers where there is a trap, and with a backtrace by
 * frame pointers; then ends the run with value 1. It allocates nothing, takes no lock and returns never.
 * Imports what prints, the symbols, and the trap frame's layout.
 */
import { cli, cstr, hlt, outb, readCr2, readCr3, readEbp } from "../abi/intrinsics";
import { EXIT_PORT, Mark } from "../abi/marks";
import { TrapFrame } from "../arch/i386/trapframe";
import { KERNEL_BASE } from "../mm/layout";
import { findSymbol } from "./ksyms";
import { mark } from "./mark";
import { printk } from "./printk";

/** Value of the exit port for a panic. */
const EXIT_PANIC: u32 = 1;
const MAX_DEPTH: u32 = 32;
/** A frame lies within one kernel stack of the one before it. */
const STACK_BYTES: u32 = 16384;

let panicking: bool = false;

function printAddress(depth: u32, address: usize): void {
  const symbol = findSymbol(address);
  if (symbol == 0) printk(cstr("  #%2u  %p\n"), depth, address);
  else printk(cstr("  #%2u  %p  %s+0x%x\n"), depth, address, load<u32>(symbol, 4), address - load<u32>(symbol));
}

/** The callers: each frame begins with the caller's EBP, above it the return address. */
function printBacktrace(depth: u32, frame: usize): void {
  let ebp = frame;
  while (depth < MAX_DEPTH && ebp >= KERNEL_BASE && (ebp & 3) == 0) {
    const caller = load<usize>(ebp);
    const address = load<usize>(ebp + 4);
    if (address < KERNEL_BASE) return;
    printAddress(depth++, address - 1);
    if (caller <= ebp || caller - ebp > STACK_BYTES) return;
    ebp = caller;
  }
}

function begin(): void {
  cli();
  if (panicking) stop();
  panicking = true;
  mark(Mark.Panic, 0);
}

function stop(): void {
  outb(EXIT_PORT, EXIT_PANIC);
  for (;;) {
    cli();
    hlt();
  }
}

/** Stops the machine. `message`: a NUL-terminated kernel string. */
export function panic(message: usize): void {
  begin();
  printk(cstr("\nkernel panic: %s\n"), message);
  printBacktrace(0, readEbp());
  stop();
}

/** Stops the machine because of a trap in ring 0: with the registers it was taken with. */
export function panicAtTrap(message: usize, frame: TrapFrame): void {
  begin();
  printk(cstr("\nkernel panic: %s (vector %u, error %x)\n"), message, frame.vector, frame.error);
  printk(cstr("eax=%p ebx=%p ecx=%p edx=%p\n"), frame.eax, frame.ebx, frame.ecx, frame.edx);
  // From ring 0 the CPU pushes no ESP: the interrupted stack begins where the frame's esp would be.
  const esp = frame.fromUser ? frame.esp : changetype<usize>(frame) + offsetof<TrapFrame>("esp");
  printk(cstr("esi=%p edi=%p ebp=%p esp=%p\n"), frame.esi, frame.edi, frame.ebp, esp);
  printk(cstr("eip=%p cs=%x eflags=%p ds=%x\n"), frame.eip, frame.cs, frame.eflags, frame.ds);
  printk(cstr("cr2=%p cr3=%p\n"), readCr2(), readCr3());
  if (!frame.fromUser) {
    printAddress(0, frame.eip);
    printBacktrace(1, frame.ebp);
  }
  stop();
}

/** Prints a string of the compiler's: UTF-16, its length in bytes in the word before it. Other than ASCII is '?'. */
function printWide(text: usize): void {
  const end = text + load<u32>(text - 4);
  for (let p = text; p < end; p += 2) {
    const unit = u32(load<u16>(p));
    printk(cstr("%c"), unit < 0x80 ? unit : 0x3f);
  }
}

/** Where a failed assert goes, by the compiler's --use abort. `line` and `column` count from 1. */
export function abortPanic(message: string | null, file: string | null, line: u32, column: u32): void {
  begin();
  printk(cstr("\nkernel panic: "));
  if (message !== null) printWide(changetype<usize>(message));
  else printk(cstr("assertion failed"));
  printk(cstr(" at "));
  if (file !== null) printWide(changetype<usize>(file));
  printk(cstr(":%u:%u\n"), line, column);
  printBacktrace(0, readEbp());
  stop();
}
