/**
 * The routines of entry.s and stubs.s, as compiled code calls them (arguments in EAX, EDX, ECX). May import nothing.
 */

/** Saves EBX ESI EDI EBP and ESP (at `saveEspTo`) and goes on where the context saved at `newEsp` left off. */
export declare function switchContext(saveEspTo: usize, newEsp: usize): void;
/** Address of the code that pops the TrapFrame at ESP and returns from the trap. */
export declare function returnToUserAddress(): usize;
/** Address of the code that the kernel's own task begins with. */
export declare function kernelTaskAddress(): usize;
/** Copies n bytes between kernel and user memory, in either direction. Returns how many were not copied: 0 is success. */
export declare function userCopy(destination: usize, source: usize, bytes: u32): u32;
/** Copies bytes up to and with a NUL, at most `max`. Returns the bytes before the NUL, `max` if there is none, or -EFAULT. */
export declare function userStringCopy(destination: usize, source: usize, max: u32): i32;
/** CR0.WP = 0: the kernel's own writes obey read-only entries no more. */
export declare function clearWriteProtect(): void;
/** Where to go on after a page fault at `eip` that could not be resolved: 0 if that is no place of a user copy. */
export declare function findFixup(eip: usize): usize;
/** Address of the entry stub of a vector below 0x81; `hasError`: the CPU pushes an error code for it. */
export declare function interruptStub(vector: u32, hasError: u32): usize;
/** First address after the kernel's image and its zeroed memory. */
export declare function imageEnd(): usize;
/** Top of the stack that the kernel boots on, which the idle task keeps. */
export declare function bootStackTop(): usize;
/** Address of the GDT of entry.s. */
export declare function gdtAddress(): usize;
