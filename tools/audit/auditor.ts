/**
 * The auditor: recomputes the invariants of shared page tables from the raw memory of a machine, knowing only the layouts that the
 * kernel's build exports. Reads; changes nothing; the guest pays nothing. May import the rest of tools/audit, cpu.
 *
 * What it finds is meant for the moments at which the invariants hold: a return to user mode, or a sleeping machine.
 */
import type { Machine } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";
import { auditFreeLists, auditSlabs } from "./allocator";
import { FrameEntries } from "./entries";
import { auditFrames } from "./frames";
import { type Model, modelOf } from "./model";
import { auditDirectories, readSpaces } from "./spaces";
import { auditLru, auditObjects, auditSwap } from "./swap";
import { auditTables } from "./tables";
import { auditTlb } from "./tlb";
import { Broken, type Finding, hex, View } from "./view";

/** What an audit has looked at. */
export interface AuditSummary {
  processes: { pid: number; name: string /** Resident pages: I5's sum over its tables. */; rss: number }[];
  tables: number;
  /** Tables with more than one user. */
  shared: number;
  /** Data frames that ptes map, and the ptes. */
  frames: number;
  ptes: number;
}

export class Auditor {
  private readonly model: Model;
  private readonly words: Uint32Array;
  private readonly entries: FrameEntries;
  private view: View | undefined;

  /** Throws LayoutError for a kernel that is not one of ours. */
  constructor(
    private readonly machine: Machine,
    layout: KernelLayout,
  ) {
    this.model = modelOf(layout);
    const { ram } = machine.cpu;
    this.words = new Uint32Array(ram.buffer, ram.byteOffset, ram.byteLength >>> 2);
    this.entries = new FrameEntries(this.words);
  }

  /** Every difference at this moment, the first ones first; none is what should be. */
  audit(): readonly Finding[] {
    const { machine, model, words, entries } = this;
    this.view = undefined;
    let view: View;
    try {
      view = new View(words, model, entries);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      return [{ invariant: "frames", pid: undefined, slot: undefined, frame: undefined, text: error.message }];
    }
    this.view = view;
    const parts = [
      readSpaces,
      auditDirectories,
      auditTables,
      auditFrames,
      auditObjects,
      auditSwap,
      auditLru,
      auditFreeLists,
      auditSlabs,
      (one: View) => auditTlb(one, machine.cpu.tlb, machine.cpu.control(3)),
    ];
    for (const part of parts) {
      try {
        part(view);
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
        view.report("frames", error.message);
      }
    }
    return view.findings;
  }

  /** One line for a finding: invariant, process, slot, frame, expected and found. */
  describe({ invariant, pid, slot, frame, text }: Finding): string {
    const space = this.view?.spaces.find((one) => one.pid === pid);
    const where = [
      pid === undefined ? "" : `pid ${pid}${space ? ` (${space.name})` : ""}`,
      slot === undefined ? "" : `slot ${slot}`,
      frame === undefined ? "" : `frame ${hex(frame)}`,
    ].filter((word) => word !== "");
    return `${[invariant, ...where].join(" ")}: ${text}`;
  }

  /** What the last audit has seen. */
  summary(): AuditSummary {
    const { spaces = [], tables = [], mapCount = new Uint32Array(0) } = this.view ?? {};
    const { TablePage } = this.model.fields;
    const rss = new Map(spaces.map((space) => [space, 0]));
    for (const { frame, sharers } of tables) {
      const present = this.view === undefined ? 0 : this.words[this.view.page(frame) + TablePage.present];
      for (const space of sharers) rss.set(space, (rss.get(space) ?? 0) + present);
    }
    return {
      processes: spaces.map((space) => ({ pid: space.pid, name: space.name, rss: rss.get(space) ?? 0 })),
      tables: tables.length,
      shared: tables.filter(({ sharers }) => sharers.length > 1).length,
      frames: mapCount.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0),
      ptes: mapCount.reduce((sum, count) => sum + count, 0),
    };
  }
}
