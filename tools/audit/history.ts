/**
 * The last things that the kernel said by marks, for the report of an audit: what led to a difference. May import cpu's types,
 * kernel/abi.
 */
import type { MachineEvent } from "../../cpu/index";
import { Mark, UnshareCause } from "../../kernel/abi/marks";
import type { Finding } from "./view";

/** Marks that are kept, of all processes. */
const LENGTH = 512;
const ARGUMENT_MASK = 0xffffff;
const SLOT_MASK = 0x3ff;
const CAUSE_SHIFT = 10;

/** Marks about a slot, about a frame, and about a process as a whole. */
const OF_SLOT = new Map<number, string>([
  [Mark.Share, "shares"],
  [Mark.Unshare, "unshares"],
  [Mark.Release, "releases"],
  [Mark.CopyOnWrite, "copies a page in"],
]);
const OF_FRAME = new Map<number, string>([
  [Mark.UnmapBegin, "evicts"],
  [Mark.SwapIn, "maps from swap"],
]);
const OF_PROCESS = new Map<number, string>([
  [Mark.Fork, "forks pid"],
  [Mark.TaskExit, "ends"],
  [Mark.Exec, "executes"],
]);

const CAUSES: Record<number, string> = {
  [UnshareCause.Write]: "write",
  [UnshareCause.NotPresentWrite]: "write to a page that is not present",
  [UnshareCause.Munmap]: "munmap",
  [UnshareCause.Mprotect]: "mprotect",
  [UnshareCause.Mmap]: "mmap",
  [UnshareCause.Brk]: "brk",
  [UnshareCause.StackGrowth]: "stack growth",
  [UnshareCause.Mremap]: "mremap",
  [UnshareCause.Madvise]: "madvise",
  [UnshareCause.Mlock]: "mlock",
};

interface Said {
  instret: number;
  pid: number;
  kind: number;
  argument: number;
}

export class MarkHistory {
  private readonly ring: Said[] = [];
  private next = 0;
  private pid = 0;

  /** To be called with every mark. */
  add({ a, instret }: Readonly<MachineEvent>): void {
    const kind = a >>> 24;
    const argument = a & ARGUMENT_MASK;
    if (kind === Mark.Switch) this.pid = argument;
    if (!OF_SLOT.has(kind) && !OF_FRAME.has(kind) && !OF_PROCESS.has(kind)) return;
    this.ring[this.next] = { instret, pid: this.pid, kind, argument };
    this.next = (this.next + 1) % LENGTH;
  }

  /** What the last `count` marks say that concern the slot of a finding, its frame, or its process; oldest first. */
  about({ slot, frame, pid }: Finding, count: number): string[] {
    const inOrder = [...this.ring.slice(this.next), ...this.ring.slice(0, this.next)];
    const concerned = inOrder.filter((said) => {
      if (OF_FRAME.has(said.kind)) return said.argument === frame;
      if (OF_SLOT.has(said.kind)) return slot === undefined ? said.pid === pid : (said.argument & SLOT_MASK) === slot;
      return said.pid === pid || (said.kind === Mark.Fork && said.argument === pid);
    });
    return concerned.slice(-count).map(inWords);
  }
}

function inWords({ instret, pid, kind, argument }: Said): string {
  const ofFrame = OF_FRAME.get(kind);
  if (ofFrame !== undefined) return `${instret}: pid ${pid} ${ofFrame} frame 0x${argument.toString(16)}`;
  const verb = OF_SLOT.get(kind);
  if (verb === undefined) {
    const object = kind === Mark.Fork ? ` ${argument}` : "";
    return `${instret}: pid ${pid} ${OF_PROCESS.get(kind)}${object}`;
  }
  const cause = kind === Mark.Unshare ? ` (${CAUSES[argument >>> CAUSE_SHIFT] ?? argument >>> CAUSE_SHIFT})` : "";
  return `${instret}: pid ${pid} ${verb} slot ${argument & SLOT_MASK}${cause}`;
}
