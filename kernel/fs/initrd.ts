/**
 * The initial contents of the file system: every boot module is an archive. Imports the boot loader's structures, ustar.
 */
import { cstr } from "../abi/intrinsics";
import { multibootInfo, multibootModule, multibootModuleCount } from "../arch/i386/multiboot";
import { isError } from "../lib/errptr";
import { physToVirt } from "../mm/layout";
import { Inode, inodePut } from "./inode";
import { rootDirectory } from "./ramfs";
import { directoryIn, unpackArchive } from "./ustar";

/** Unpacks each module into the tree, and makes /tmp if none did. `info`: physical address of the loader's information. Once, at boot. */
export function initrdInit(info: u32): void {
  const boot = multibootInfo(info);
  const count = multibootModuleCount(boot);
  for (let i: u32 = 0; i < count; i++) {
    const module = multibootModule(boot, i);
    unpackArchive(physToVirt(module.start), module.end - module.start);
  }
  const scratch = directoryIn(rootDirectory(), cstr("tmp"), 3);
  if (!isError(scratch)) inodePut(changetype<Inode>(scratch));
}
