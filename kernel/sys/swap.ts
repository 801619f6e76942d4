/**
 * System calls about swap. Source: Linux 2.4 (mm/swapfile.c), swapon(2).
 */
import { Errno } from "../abi/errno";
import { TrapFrame } from "../arch/i386/trapframe";
import { BlockDevice } from "../fs/blockdevice";
import { deviceOfNode } from "../fs/blockfile";
import { Inode, inodePut } from "../fs/inode";
import { errorPointer, isError } from "../lib/errptr";
import { doSwapoff, doSwapon } from "../mm/swapon";
import { inodeFromUser } from "./user";

/** The BlockDevice that a path in user memory names, or an error pointer. */
function deviceFromUser(path: usize): usize {
  const found = inodeFromUser(path);
  if (isError(found)) return found;
  const inode = changetype<Inode>(found);
  const device = deviceOfNode(inode);
  inodePut(inode);
  return device === null ? errorPointer(Errno.ENOTBLK) : changetype<usize>(device);
}

/** swapon(path, flags): the priority in the flags has nothing to choose from. */
export function sysSwapon(frame: TrapFrame): i32 {
  const found = deviceFromUser(frame.ebx);
  if (isError(found)) return i32(found);
  const device = changetype<BlockDevice>(found);
  return doSwapon(device.firstSector, device.sectors);
}

/** swapoff(path). */
export function sysSwapoff(frame: TrapFrame): i32 {
  const found = deviceFromUser(frame.ebx);
  return isError(found) ? i32(found) : doSwapoff(changetype<BlockDevice>(found).firstSector);
}
