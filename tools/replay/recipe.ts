/**
 * What a run is made of: everything that it is a function of but the input, and a machine at its first instruction.
 * May import cpu's public face, tools/disk.
 */
import {
  type BufferDisk,
  type DiskBackend,
  Machine,
  MachineError,
  type ModelName,
  type TlbGeometry,
} from "../../cpu/index";
import type { FileDisk } from "../disk/filedisk";

/** Fit for structured cloning. */
export interface Recipe {
  memoryMB: number;
  /** A multiboot-1 ELF32, or a ROM image that is started instead. */
  kernel: Uint8Array;
  rom?: boolean;
  /** Its name, for messages. */
  kernelName: string;
  commandLine: string;
  /** Multiboot modules: the initrd. The trace names the code of programs in those that are ustar archives. */
  modules: Uint8Array[];
  /** The IDE disk: a file that has been checked, or one in memory that is a swap area; absent: none. */
  disk?: { path: string; readOnly: boolean } | { swapMB: number };
  /** Geometry of the charged TLB; the standard one by default. */
  tlb?: TlbGeometry;
  /** The CPU model; the machine's default by default. */
  cpu?: ModelName;
}

/** The recipe's disk, opened. The file was there a moment ago: what goes wrong now is told in Node's words, as MachineError. */
export async function openDisk({ disk }: Recipe): Promise<FileDisk | BufferDisk | undefined> {
  if (disk === undefined) return undefined;
  if ("swapMB" in disk) return (await import("../disk/swaparea")).swapDisk(disk.swapMB);
  const { FileDisk } = await import("../disk/filedisk");
  try {
    return new FileDisk(disk.path, disk.readOnly);
  } catch (error) {
    throw new MachineError((error as Error).message);
  }
}

/** Its disk in memory, as it is now: nothing is ever written to a file. Throws MachineError as openDisk does. */
export async function copyOfDisk(recipe: Recipe): Promise<BufferDisk | undefined> {
  const disk = await openDisk(recipe);
  return disk !== undefined && "asAtFirst" in disk ? disk.asAtFirst() : disk;
}

/** A machine of the recipe at its first instruction. Throws MachineError, which names the image, for one that cannot be loaded. */
export function bootRecipe(
  recipe: Recipe,
  disk: DiskBackend | undefined,
  onSerial: (bytes: Uint8Array) => void = () => {},
): Machine {
  const { memoryMB, tlb, cpu } = recipe;
  const machine = new Machine({
    memoryMB,
    onSerial,
    ...(disk ? { disk } : {}),
    ...(tlb ? { tlb } : {}),
    ...(cpu ? { cpu } : {}),
  });
  try {
    if (recipe.rom) machine.loadRom(recipe.kernel);
    else machine.loadMultiboot(recipe.kernel, { commandLine: recipe.commandLine, modules: recipe.modules });
  } catch (error) {
    if (error instanceof MachineError) throw new MachineError(`${recipe.kernelName}: ${error.message}`);
    throw error;
  }
  return machine;
}
