/**
 * Machine instructions that TypeScript has no words for. Each is emitted in place by tools/compiler; none is a call.
 * The optimiser moves no memory access across one. May import nothing. Privileged ones fault in ring 3.
 * Source: Intel SDM volume 2, the instruction of the name.
 */

/** Address of the bytes of a string literal, ASCII and NUL-terminated. The argument must be a literal. */
export declare function cstr(text: string): usize;

export declare function inb(port: u32): u32;
export declare function inw(port: u32): u32;
export declare function inl(port: u32): u32;
export declare function outb(port: u32, value: u32): void;
export declare function outw(port: u32, value: u32): void;
export declare function outl(port: u32, value: u32): void;
/** REP INSW / REP OUTSW: `words` 16-bit units between port and memory. */
export declare function insw(port: u32, destination: usize, words: u32): void;
export declare function outsw(port: u32, source: usize, words: u32): void;

export declare function cli(): void;
export declare function sti(): void;
/** STI; HLT: sleeps until an interrupt, with no window between the two. */
export declare function stiHlt(): void;
export declare function hlt(): void;
export declare function readEflags(): u32;
export declare function writeEflags(value: u32): void;
export declare function readEbp(): usize;
export declare function readEsp(): usize;

export declare function readCr0(): u32;
export declare function readCr2(): u32;
export declare function readCr3(): u32;
export declare function readCr4(): u32;
export declare function writeCr0(value: u32): void;
export declare function writeCr3(value: u32): void;
export declare function writeCr4(value: u32): void;
export declare function invlpg(address: usize): void;
export declare function lgdt(descriptor: usize): void;
export declare function lidt(descriptor: usize): void;
export declare function ltr(selector: u32): void;
/** Low half of the time-stamp counter, in cycles. */
export declare function rdtscLow(): u32;

/** INT 0x80 with Linux i386 registers: number in EAX, arguments in EBX ECX EDX ESI EDI EBP. Result or -errno. */
export declare function syscall0(number: u32): i32;
export declare function syscall1(number: u32, a: u32): i32;
export declare function syscall2(number: u32, a: u32, b: u32): i32;
export declare function syscall3(number: u32, a: u32, b: u32, c: u32): i32;
export declare function syscall4(number: u32, a: u32, b: u32, c: u32, d: u32): i32;
export declare function syscall5(number: u32, a: u32, b: u32, c: u32, d: u32, e: u32): i32;
export declare function syscall6(number: u32, a: u32, b: u32, c: u32, d: u32, e: u32, f: u32): i32;
