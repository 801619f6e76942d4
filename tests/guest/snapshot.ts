/**
 * What programs and the allocator have at one moment, read from raw memory and compared with another moment: what must not change
 * when an operation fails (I7). May import tools/audit, tools/image/layout.
 *
 * Of an address space: its mappings, the end of its heap, and each page with a hash of its contents. Of the machine: frames in use by
 * kind, objects in use in slabs. Accessed and dirty bits are the CPU's affair and left out.
 */
import type { Model } from "../../tools/audit/model";
import { auditDirectories, readSpaces } from "../../tools/audit/spaces";
import { type Space, View } from "../../tools/audit/view";
import type { KernelLayout } from "../../tools/image/layout";

/** ACCESSED and DIRTY (Intel SDM volume 3, 4.3). */
const HARDWARE_BITS = 0x60;
/** Kinds of frames that an operation which failed may have taken nothing of. */
const KEPT_KINDS = ["kernel", "slab", "directory"];

/** One address space. */
export interface SpacePicture {
  pid: number;
  mm: number;
  /** Mappings and heap, in words. */
  map: string;
  /** Page-directory entries of user space, without hardware bits. */
  pdes: number[];
  /** Address -> pte without hardware bits, and hash of the page's contents. */
  pages: Map<number, { pte: number; sum: number }>;
}

export interface Picture {
  spaces: Map<number, SpacePicture>;
  /** Frames in use by kind's name, and "objects": those in use in slabs. */
  counts: Map<string, number>;
  /** The kernel's counters of tables unshared and of pages copied. */
  unshared: number;
  copied: number;
}

/** What an operation that failed may leave behind besides finished unsharing. */
export interface Allowed {
  /** Pages filled or copied on the way, whose contents a program could have read before too. */
  pages: boolean;
  /** Entries without W, which a fault gives back. */
  protection: boolean;
}

/** W of an entry. */
const WRITE = 2;
/** Where a program and its stack are: who does the operation goes on using its own, so their contents are not compared. */
const PROGRAM_END = 0x0c000000;
const STACKS = 0xbf800000;

/** Takes pictures of one machine's memory. */
export class Camera {
  private readonly sums = new Map<number, number>();

  constructor(
    private readonly words: Uint32Array,
    private readonly model: Model,
    private readonly layout: KernelLayout,
  ) {}

  /** A picture of everything. The invariants must hold at this moment. */
  take(): Picture {
    this.sums.clear();
    const view = new View(this.words, this.model);
    readSpaces(view);
    auditDirectories(view);
    return {
      spaces: new Map(view.spaces.map((space) => [space.pid, this.picture(view, space)])),
      counts: this.counts(view),
      unshared: this.counter("tablesUnshared"),
      copied: this.counter("cowCopies"),
    };
  }

  /** A picture of one space whose task may have let go of it: its Mm and directory must still be there. */
  takeSpace({ mm, pid }: SpacePicture): SpacePicture {
    this.sums.clear();
    const view = new View(this.words, this.model);
    const directory = (view.word(mm + this.model.fields.Mm.directory * 4) - this.model.constants.kernelBase) >>> 12;
    return this.picture(view, { mm, pid, directory });
  }

  /** A counter of VmStat. */
  counter(name: string): number {
    const { offset } = this.layout.structs.VmStat.fields[name];
    return this.words[(this.layout.constants["mm/vmstat/vmstat"] - this.model.constants.kernelBase + offset) >>> 2];
  }

  private picture(view: View, { mm, pid, directory }: Pick<Space, "mm" | "pid" | "directory">): SpacePicture {
    const { present, mapped, userSlots } = this.model.constants;
    const pdes: number[] = [];
    const pages: SpacePicture["pages"] = new Map();
    for (let slot = 0; slot < userSlots; slot++) {
      const pde = view.words[(directory << 10) + slot] & ~HARDWARE_BITS;
      pdes.push(pde);
      if ((pde & present) === 0) continue;
      for (let i = 0; i < 1024; i++) {
        const pte = view.words[((pde >>> 12) << 10) + i] & ~HARDWARE_BITS;
        if ((pte & mapped) === 0) continue;
        pages.set(slot * 0x400000 + i * 0x1000, { pte, sum: this.sum(pte >>> 12) });
      }
    }
    return { pid, mm, map: this.map(view, mm), pdes, pages };
  }

  /** The list of mappings and the heap's end. */
  private map(view: View, mm: number): string {
    const { Mm, Vma } = this.model.fields;
    const lines = [view.word(mm + this.layout.structs.Mm.fields.brk.offset).toString(16)];
    for (let vma = view.word(mm + Mm.vmas * 4); vma !== 0; vma = view.word(vma + Vma.next * 4)) {
      const fields = [Vma.start, Vma.end, Vma.flags, Vma.object, Vma.offset, Vma.source, Vma.sourceBytes];
      lines.push(fields.map((field) => view.word(vma + field * 4).toString(16)).join(" "));
    }
    return lines.join("\n");
  }

  /** A hash of a frame's bytes. */
  private sum(frame: number): number {
    const known = this.sums.get(frame);
    if (known !== undefined) return known;
    let sum = 0;
    for (let i = frame << 10; i < (frame + 1) << 10; i++)
      sum = Math.imul((sum << 5) ^ (sum >>> 27) ^ this.words[i], 0x9e3779b1);
    this.sums.set(frame, sum);
    return sum;
  }

  private counts(view: View): Map<string, number> {
    const { kindNames, constants, variables, fields } = this.model;
    const counts = new Map<string, number>();
    for (let kind = 0; kind < constants.frameKinds; kind++) {
      const kept = kind === 0 ? view.word(variables.freeCount) : view.word(constants.framesInUse + kind * 4);
      counts.set(kindNames[kind] ?? String(kind), kept);
    }
    let objects = 0;
    for (let frame = 0; frame < view.frames; frame++) {
      if (view.kind(frame) === constants.slab) objects += view.words[view.page(frame) + fields.SlabPage.inUse];
    }
    counts.set("objects", objects);
    return counts;
  }
}

/** How `after` differs from `before`, where an operation in between failed; empty when it changed nothing observable. */
export function differences(before: Picture, after: Picture, allowed: Allowed, except = -1): string[] {
  const found: string[] = [];
  const exact = after.unshared === before.unshared && (!allowed.pages || after.copied === before.copied);
  for (const [pid, space] of before.spaces) {
    if (pid === except) continue;
    const now = after.spaces.get(pid);
    if (now === undefined) found.push(`pid ${pid} is gone`);
    else found.push(...spaceDifferences(space, now, allowed, exact));
  }
  const gone = except < 0 ? 0 : 1;
  if (after.spaces.size !== before.spaces.size - gone) found.push(`${after.spaces.size} address spaces, not as before`);
  if (except >= 0) return found;
  const kinds = exact && !allowed.pages ? [...before.counts.keys()] : [...KEPT_KINDS, "objects"];
  for (const kind of kinds) {
    const [was, is] = [before.counts.get(kind), after.counts.get(kind)];
    if (was !== is) found.push(`${kind}: ${is}, before ${was}`);
  }
  const tables = (after.counts.get("table") ?? 0) - (before.counts.get("table") ?? 0);
  if (!allowed.pages && tables !== after.unshared - before.unshared)
    found.push(`${tables} tables more, unlike what was unshared`);
  return found;
}

/** As differences, of one space; `exact`: entries too, not only contents. */
export function spaceDifferences(was: SpacePicture, is: SpacePicture, allowed: Allowed, exact: boolean): string[] {
  const found: string[] = [];
  const where = `pid ${was.pid}`;
  if (was.map !== is.map) found.push(`${where}: mappings differ: ${firstDifference(was.map, is.map)}`);
  const isSame = exact && !allowed.pages;
  const kept = allowed.protection ? ~WRITE : ~0;
  if (isSame && was.pdes.some((pde, slot) => ((pde ^ is.pdes[slot]) & kept) !== 0)) found.push(`${where}: pdes differ`);
  for (const [address, { pte, sum }] of was.pages) {
    const now = is.pages.get(address);
    const at = `${where} 0x${address.toString(16)}`;
    if (now === undefined) found.push(`${at}: the page is gone`);
    else if (now.sum !== sum && address >= PROGRAM_END && address < STACKS) found.push(`${at}: contents differ`);
    else if (!allowed.pages && now.pte >>> 12 !== pte >>> 12) found.push(`${at}: another frame`);
    else if (isSame && ((now.pte ^ pte) & kept) !== 0) found.push(`${at}: the pte differs`);
  }
  if (!allowed.pages && is.pages.size !== was.pages.size)
    found.push(`${where}: ${is.pages.size} pages, before ${was.pages.size}`);
  return found;
}

/** The first line that two texts do not have in common, both of it. */
function firstDifference(was: string, is: string): string {
  const before = was.split("\n");
  const after = is.split("\n");
  let line = 0;
  while (before[line] === after[line]) line++;
  return `${after[line] ?? "nothing"}, before ${before[line] ?? "nothing"}`;
}
