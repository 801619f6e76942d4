/**
 * The guest's memory as a debugger sees it: by linear address through the page tables of one directory, or by physical address.
 * May import cpu's public face, tools/image/symbols.
 *
 * Invariants: reading leaves no trace in the guest; writing charges it nothing, and goes to the frame that the tables name, whoever else
 * maps it.
 *
 * Two additions, so that breakpoints can be set by name at any time: while paging is off, the kernel's linked addresses mean where it was
 * loaded; and text of the debugged program that no page table maps (not yet touched, or not yet run) is read from its file.
 */
import type { Machine } from "../../cpu/index";
import { loadedSegments, type LoadedSegment } from "../image/segments";

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
    this.segments = program === undefined ? [] : loadedSegments(program).filter(({ writable }) => !writable);
  }

  /** Up to `bytes` bytes at an address, by a directory given as a CR3 value; fewer where nothing is mapped. */
  read(address: number, bytes: number, directory: number): Uint8Array {
    const result = new Uint8Array(bytes);
    let done = 0;
    while (done < bytes) {
      const at = (address + done) >>> 0;
      const most = Math.min(bytes - done, PAGE - (at % PAGE));
      const physical = this.translate(at, directory);
      const piece = physical < 0 ? this.fromFile(at, most) : this.machine.readPhysical(physical, most);
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

  private fromFile(address: number, bytes: number): Uint8Array {
    for (const { start, contents } of this.segments) {
      const at = address - start;
      if (at >= 0 && at < contents.length) return contents.slice(at, at + bytes);
    }
    return new Uint8Array(0);
  }
}
