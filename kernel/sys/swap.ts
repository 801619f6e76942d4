/**
 * System calls about swap. Source: Linux 2.4 (mm/swapfile.c), swapon(2).
 */
import { Errno } from "../abi/errno";
import { TrapFrame } from "../arch/i386/trapframe";
import { diskSectors } from "../drivers/ide";
import { isDisk } from "../fs/blockfile";
import { Inode, inodePut } from "../fs/inode";
import { isError } from "../lib/errptr";
import { doSwapoff, doSwapon } from "../mm/swapon";
import { inodeFromUser } from "./user";

/** 0 if the path in user memory names the disk, or -errno. */
function checkDisk(path: usize): i32 {
  const found = inodeFromUser(path);
  if (isError(found)) return i32(found);
  const inode = changetype<Inode>(found);
  const result = isDisk(inode) ? 0 : -Errno.ENOTBLK;
  inodePut(inode);
  return result;
}

/** swapon(path, flags): the priority in the flags has nothing to choose from. */
export function sysSwapon(frame: TrapFrame): i32 {
  const error = checkDisk(frame.ebx);
  return error != 0 ? error : doSwapon(0, diskSectors());
}

/** swapoff(path). */
export function sysSwapoff(frame: TrapFrame): i32 {
  const error = checkDisk(frame.ebx);
  return error != 0 ? error : doSwapoff();
}
