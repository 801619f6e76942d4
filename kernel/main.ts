/**
 * The kernel's boot order, as a table of contents. entry.s calls kernelMain on the boot stack, with paging on and interrupts
 * off; what runs here becomes the idle task. May import everything in kernel/.
 */
import { cstr } from "./abi/intrinsics";
import { bootStackTop } from "./arch/i386/assembly";
import { gdtInit } from "./arch/i386/gdt";
import { idtInit } from "./arch/i386/idt";
import { MULTIBOOT_MAGIC, multibootCommandLine, multibootInfo } from "./arch/i386/multiboot";
import { diskPollBegin, diskPollEnd, diskStart } from "./drivers/diskqueue";
import { ideInit } from "./drivers/ide";
import { picInit } from "./drivers/pic";
import { pitInit } from "./drivers/pit";
import { ttyInit } from "./drivers/tty";
import { uartInit } from "./drivers/uart";
import { swapDevice } from "./fs/blockdevice";
import { blockFileInit } from "./fs/blockfile";
import { devicesInit } from "./fs/devices";
import { initrdInit } from "./fs/initrd";
import { pipeInit } from "./fs/pipe";
import { procInit } from "./fs/procfs";
import { ramfileInit } from "./fs/ramfile";
import { ramfsInit } from "./fs/ramfs";
import { bootOptions, parseCommandLine } from "./lib/cmdline";
import { panic } from "./lib/panic";
import { printk } from "./lib/printk";
import { memoryInit } from "./mm/bootmem";
import { setForkMode } from "./mm/memory";
import { failAllocation, freeFrames, setPoison } from "./mm/pagealloc";
import { keepNoRmap, keepSpareBlocks } from "./mm/rmap";
import { doSwapon } from "./mm/swapon";
import { checkWritesInSoftware } from "./mm/uaccess";
import { syscallInit } from "./sys/syscall";
import { startInit } from "./task/init";
import { killFaultingTask } from "./task/oom";
import { evictFrom } from "./task/reclaim";
import { idleLoop } from "./task/sched";
import { tasksInit } from "./task/task";

export { trapDispatch } from "./arch/i386/trap";
export { reclaimTask } from "./task/reclaim";

/** Boots. `magic`: the loader's; `info`: physical address of what it tells. Never returns. */
export function kernelMain(magic: u32, info: u32): void {
  uartInit();
  if (magic != MULTIBOOT_MAGIC) panic(cstr("not started by a multiboot loader"));
  gdtInit(bootStackTop());
  idtInit();
  picInit();

  parseCommandLine(multibootCommandLine(multibootInfo(info)));
  // Counting memory takes a while: who waits should see that something has begun.
  if (!bootOptions.quiet) printk(cstr("tine: booting\n"));
  memoryInit(info);
  setForkMode(bootOptions.forkMode);
  setPoison(bootOptions.poison);
  if (!bootOptions.writeProtect) checkWritesInSoftware();
  if (bootOptions.reverseMap) keepSpareBlocks();
  else keepNoRmap();
  if (!bootOptions.reclaim) killFaultingTask();
  tasksInit();
  syscallInit();

  ramfsInit();
  ramfileInit();
  initrdInit(info);
  procInit();
  devicesInit();
  ideInit();
  blockFileInit();
  pipeInit();
  ttyInit();
  pitInit();

  if (!bootOptions.quiet) printk(cstr("tine: %u kB free\n"), freeFrames() << 2);
  startInit(bootOptions);
  diskStart();
  if (bootOptions.swap) swapAtBoot();
  evictFrom(bootOptions.evictSeed);
  failAllocation(bootOptions.failAllocation);
  idleLoop();
}

/** swap=on: it is said on the console if that cannot be. */
function swapAtBoot(): void {
  diskPollBegin();
  const device = swapDevice();
  const error = doSwapon(device.firstSector, device.sectors);
  diskPollEnd();
  if (error != 0) printk(cstr("no swap: the disk has no swap area that can be used, error %d\n"), error as u32);
}
