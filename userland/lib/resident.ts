/**
 * Makes the memory of a program resident, so that counts of free frames before and after something tell what that did and
 * not which pages of the program were used for the first time. May import syscalls and kernel/abi.
 */
import { F_OK } from "../../kernel/abi/fcntl";
import { readEsp } from "../../kernel/abi/intrinsics";
import { access, brk } from "./syscalls";

const PAGE: usize = 4096;
/** Where programs are linked. */
const IMAGE: usize = 0x08048000;
/** Pages of stack that are made resident below the one in use. */
const STACK_PAGES: usize = 4;

/**
 * Touches every page of the program's image (text, data and zeroed data) and some of its stack. Between segments there may be
 * nothing: so the kernel does the touching, as it reads a path there, and answers EFAULT where a program would be killed.
 */
export function makeResident(): void {
  const end = brk(0);
  for (let page = IMAGE; page < end; page += PAGE) access(page, F_OK);
  const stack = readEsp();
  for (let i: usize = 0; i <= STACK_PAGES; i++) atomic.store<u32>(stack - i * PAGE - 64, 0);
}
