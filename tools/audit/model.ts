/**
 * The numbers that the auditor needs of a kernel, looked up once in the layout that its build exports: offsets of fields in
 * words, constants, addresses of variables and static storage. Nothing here is typed in by hand but names.
 * May import tools/image/layout's types.
 */
import type { KernelLayout } from "../image/layout";

/** The layout is not one of a kernel that this auditor knows. */
export class LayoutError extends Error {}

const FIELDS = {
  Page: ["flags", "count", "rmap", "next", "previous", "object", "index", "order"],
  TablePage: ["users", "present", "swapped", "slot", "locked"],
  SlabPage: ["inUse", "freeHead", "next", "cache"],
  Cache: ["first", "bytes", "perSlab", "free", "reserved"],
  Mm: ["directory", "users", "vmas", "vmaCount"],
  Vma: ["start", "end", "flags", "next", "object", "offset", "source", "sourceBytes"],
  SharedObject: ["root"],
  Task: ["pid", "mm", "hashNext", "name0"],
} as const;

const CONSTANTS = {
  kernelBase: "mm/layout/KERNEL_BASE",
  present: "arch/i386/paging/PTE_PRESENT",
  write: "arch/i386/paging/PTE_WRITE",
  user: "arch/i386/paging/PTE_USER",
  dirty: "arch/i386/paging/PTE_DIRTY",
  mapped: "arch/i386/paging/PTE_MAPPED",
  lockedPte: "arch/i386/paging/PTE_LOCKED",
  userSlots: "arch/i386/paging/USER_SLOTS",
  pageStructShift: "mm/page/PAGE_STRUCT_SHIFT",
  kindMask: "mm/page/KIND_MASK",
  frameKinds: "mm/page/FRAME_KINDS",
  buddy: "mm/page/PAGE_BUDDY",
  free: "mm/page/FrameKind.Free",
  slab: "mm/page/FrameKind.Slab",
  chain: "mm/page/FrameKind.Chain",
  directory: "mm/page/FrameKind.Directory",
  table: "mm/page/FrameKind.Table",
  data: "mm/page/FrameKind.Data",
  lru: "mm/page/PAGE_LRU",
  active: "mm/page/PAGE_ACTIVE",
  activeHead: "mm/lru/activeHead",
  inactiveHead: "mm/lru/inactiveHead",
  cacheMark: "mm/swap/cacheMark",
  badSlot: "mm/swap/BAD",
  swappedPlace: "mm/shmem/SWAPPED",
  maxOrder: "mm/pagealloc/MAX_ORDER",
  freeAreas: "mm/pagealloc/freeAreas",
  framesInUse: "mm/vmstat/framesInUse",
  direct: "mm/rmap/DIRECT",
  blockMask: "mm/rmap/BLOCK_MASK",
  firstEntry: "mm/rmap/FIRST_ENTRY",
  chainCache: "mm/rmap/chainCache",
  vmWrite: "mm/vmalist/VM_WRITE",
  vmAccess: "mm/vmalist/VM_ACCESS",
  vmShared: "mm/vmalist/VM_SHARED",
  vmLocked: "mm/vmalist/VM_LOCKED",
  taskHash: "task/task/hashTable",
  taskHashSize: "task/task/HASH_SIZE",
  taskNameBytes: "task/task/TASK_NAME_BYTES",
} as const;

const VARIABLES = [
  "memMap",
  "frameLimit",
  "freeCount",
  "rmapKept",
  "activeFrames",
  "inactiveFrames",
  "swapSlots",
  "swapFreeSlots",
  "slotWords",
] as const;

type Fields = { [Struct in keyof typeof FIELDS]: Record<(typeof FIELDS)[Struct][number], number> };
type Constants = Record<keyof typeof CONSTANTS, number>;

export interface Model {
  /** Offsets of fields in words. */
  fields: Fields;
  constants: Constants;
  /** Addresses of variables. */
  variables: Record<(typeof VARIABLES)[number], number>;
  /** Kinds of frames by number. */
  kindNames: string[];
}

/** The numbers of a layout. Throws LayoutError, in one line, when one is missing. */
export function modelOf(layout: KernelLayout): Model {
  const constant = (name: string) => found(layout.constants[name], name);
  const fields = Object.entries(FIELDS).map(([struct, names]) => [
    struct,
    Object.fromEntries(names.map((name) => [name, wordOf(layout, struct, name)])),
  ]);
  const constants = Object.entries(CONSTANTS).map(([key, name]) => [key, constant(name)]);
  const variables = VARIABLES.map((name) => [name, found(layout.variables[name], name)]);
  const kindNames: string[] = [];
  for (const [name, kind] of Object.entries(layout.constants)) {
    if (name.startsWith("mm/page/FrameKind.")) kindNames[kind] = name.slice("mm/page/FrameKind.".length).toLowerCase();
  }
  return {
    fields: Object.fromEntries(fields) as Fields,
    constants: Object.fromEntries(constants) as Constants,
    variables: Object.fromEntries(variables) as Model["variables"],
    kindNames,
  };
}

function wordOf(layout: KernelLayout, struct: string, name: string): number {
  const field = layout.structs[struct]?.fields[name];
  if (field !== undefined && (field.bytes !== 4 || field.offset % 4 !== 0)) {
    throw new LayoutError(`${struct}.${name} is no aligned word in this kernel's layout`);
  }
  return found(field?.offset, `${struct}.${name}`) / 4;
}

function found(value: number | undefined, name: string): number {
  if (value === undefined) throw new LayoutError(`this kernel's layout has no ${name}`);
  return value;
}
