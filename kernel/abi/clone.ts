/**
 * Flags of clone: Linux (include/linux/sched.h). The low byte is the signal that the parent gets when the child ends. What is not
 * here is refused (kernel/sys/process.ts says why). May import nothing.
 */
export const CLONE_SIGNAL_MASK: u32 = 0xff;
/** The child runs in the caller's memory. */
export const CLONE_VM: u32 = 0x100;
/** Working directory and mode mask are one for both. */
export const CLONE_FS: u32 = 0x200;
/** So are descriptors, until one executes a program. */
export const CLONE_FILES: u32 = 0x400;
/** So is what signals do, until one executes a program. Needs CLONE_VM. */
export const CLONE_SIGHAND: u32 = 0x800;
/** The caller sleeps until the child has executed a program or ended. */
export const CLONE_VFORK: u32 = 0x4000;
/** The child's pid is written to the third argument's place before there is a child, so that both find it there. */
export const CLONE_PARENT_SETTID: u32 = 0x00100000;
/** The word at the fifth argument's place becomes 0 when the child leaves memory that others still use. */
export const CLONE_CHILD_CLEARTID: u32 = 0x00200000;
/** The child's pid is written to the fifth argument's place in the child's memory. */
export const CLONE_CHILD_SETTID: u32 = 0x01000000;
