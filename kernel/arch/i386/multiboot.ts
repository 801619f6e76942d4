/**
 * What a multiboot loader leaves in memory: structures at physical addresses, read through the direct map. May import mm/layout.
 * Source: Multiboot Specification 0.6.96, 3.3.
 */
import { physToVirt } from "../../mm/layout";

/** EAX on entry. */
export const MULTIBOOT_MAGIC: u32 = 0x2badb002;
/** Bits of `flags`. */
export const MULTIBOOT_MEMORY: u32 = 0x01;
export const MULTIBOOT_COMMAND_LINE: u32 = 0x04;
export const MULTIBOOT_MODULES: u32 = 0x08;

/** The information structure, as far as it is used. Addresses in it are physical. */
@unmanaged
export class MultibootInfo {
  flags: u32 = 0;
  /** Kilobytes below 640 KB. */
  lowerKilobytes: u32 = 0;
  /** Kilobytes in one piece from 1 MB up. */
  upperKilobytes: u32 = 0;
  bootDevice: u32 = 0;
  /** ASCIIZ. */
  commandLine: u32 = 0;
  moduleCount: u32 = 0;
  modules: u32 = 0;
}

/** Bytes of the whole structure of the specification. */
export const MULTIBOOT_INFO_BYTES: u32 = 116;

/** One module. */
@unmanaged
export class MultibootModule {
  /** Physical addresses of its first byte and of the first after it. */
  start: u32 = 0;
  end: u32 = 0;
  commandLine: u32 = 0;
  reserved: u32 = 0;
}

/** The information at a physical address. */
export function multibootInfo(physical: u32): MultibootInfo {
  return changetype<MultibootInfo>(physToVirt(physical));
}

/** How many modules there are. */
export function multibootModuleCount(info: MultibootInfo): u32 {
  return (info.flags & MULTIBOOT_MODULES) != 0 ? info.moduleCount : 0;
}

/** Module `index`, which must be below multibootModuleCount. */
export function multibootModule(info: MultibootInfo, index: u32): MultibootModule {
  return changetype<MultibootModule>(physToVirt(info.modules) + index * offsetof<MultibootModule>());
}

/** Kernel address of the command line; of an empty one if there is none. */
export function multibootCommandLine(info: MultibootInfo): usize {
  return (info.flags & MULTIBOOT_COMMAND_LINE) != 0 ? physToVirt(info.commandLine) : noCommandLine;
}

const noCommandLine: usize = memory.data(4, 4);
