/**
 * The guest's memory as a debugger sees it: by linear address through the page tables of one directory, or by physical address.
 * May import cpu's public face, tools/image/symbols.
 *
 * Invariants: reading leaves no trace in the guest; writing charges it nothing, and goes to the frame that the tables name, whoever else
 * maps it.
 *
 * Two additions, so that breakpoints can be set by name, and variables be read, at any time: while paging is off, the kernel's linked
 * addresses mean where it was loaded; and what no page table has ever mapped of the debugged program (pages not touched yet) is read from
 * its file, its variables only for a process of it.
 */
import type { Machine } from "../../cpu/index";
import { type LoadedSegment, loadedSegments } from "../image/segments";

const PAGE = 4096;
const PAGING = 0x80000000;
const KERNEL_BASE = 0xc0000000;

export class Memory {
  /** Addresses are physical ones. */
  physical = false;
  private readonly segments: readonly LoadedSegment[];

  constructor(
    private readonly machine: Machine,
    program: Uint8Array | undefined,
  ) {
    this.segments = program === undefined ? [] : loadedSegments(program);
  }

  /**
   * Up to `bytes` bytes at an address, by a directory given as a CR3 value; fewer where nothing is mapped. `ofProgram`: the directory is
   * that of a process of the debugged program.
   */
  read(address: number, bytes: number, directory: number, ofProgram: boolean): Uint8Array {
    const result = new Uint8Array(bytes);
    let done = 0;
    while (done < bytes) {
      const at = (address + done) >>> 0;
      const most = Math.min(bytes - done, PAGE - (at % PAGE));
      const physical = this.translate(at, directory);
      const piece =
        physical < 0 ? this.fromFile(at, most, directory, ofProgram) : this.machine.readPhysical(physical, most);
      if (piece.length === 0) break;
      result.set(piece, done);
      done += piece.length;
    }
    return result.subarray(0, done);
  }

  /** Writes all bytes, or none: false where one of the pages is not mapped. */
  write(address: number, bytes: Uint8Array, directory: number): boolean {
    const pieces: { physical: number; bytes: Uint8Array }[] = [];
    for (let done = 0; done < bytes.length; ) {
      const at = (address + done) >>> 0;
      const physical = this.translate(at, directory);
      const piece = bytes.subarray(done, done + PAGE - (at % PAGE));
      if (physical < 0 || physical + piece.length > this.machine.memoryMB << 20) return false;
      pieces.push({ physical, bytes: piece });
      done += piece.length;
    }
    for (const piece of pieces) this.machine.writePhysical(piece.physical, piece.bytes);
    return true;
  }

  /** Physical address, or -1. */
  translate(address: number, directory: number): number {
    if (this.physical) return address;
    const off = this.machine.cpu.control(0) < PAGING;
    return off && address >= KERNEL_BASE ? address - KERNEL_BASE : this.machine.translate(address, directory);
  }

  private fromFile(address: number, bytes: number, directory: number, ofProgram: boolean): Uint8Array {
    const segment = this.segments.find(({ start, size }) => address >= start && address < start + size);
    if (segment === undefined || (segment.writable && !ofProgram) || !this.isUntouched(address, directory))
      return NOTHING;
    const at = address - segment.start;
    const piece = new Uint8Array(Math.min(bytes, segment.size - at));
    piece.set(segment.contents.subarray(at, at + piece.length));
    return piece;
  }

  /** Whether no entry stands for an address: not even one of a page that was swapped out. */
  private isUntouched(address: number, directory: number): boolean {
    if (this.machine.cpu.control(0) < PAGING) return true;
    const word = (at: number): number => Buffer.from(this.machine.readPhysical(at, 4)).readUInt32LE(0);
    const pde = word(((directory & ~0xfff) >>> 0) + ((address >>> 22) << 2));
    return pde === 0 || word(((pde & ~0xfff) >>> 0) + (((address >>> 12) & 1023) << 2)) === 0;
  }
}

const NOTHING = new Uint8Array(0);
