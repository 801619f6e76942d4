/**
 * The host's part of userland/tests/inject.ts and injectswap.ts: lets the allocation fail that the guest asks for, and compares the machine's memory
 * before and after each operation that failed (I7). The kernel knows nothing of it: the host sets its countdown, which the kernel
 * has for failalloc=. May import snapshot, guest, tools/audit, kernel/abi.
 *
 * The guest writes Mark.Inject with k before an operation, and Mark.Injected after it. A process that the operation
 * kills is compared while its memory is still there, when the kernel has left its directory; all others when it is gone.
 */
import { EventKind, type Machine } from "../../cpu/index";
import { InjectLeaves, Mark } from "../../kernel/abi/marks";
import { Auditor } from "../../tools/audit/auditor";
import { modelOf } from "../../tools/audit/model";
import { type KernelLayout, kernelLayout } from "../../tools/image/layout";
import { type Allowed, Camera, differences, type Picture, type SpacePicture, spaceDifferences } from "./snapshot";

const USER_RING = 3;
const LEAVES_SHIFT = 16;

/** Serves one machine. Where pages come and go by themselves it only audits, and compares nothing. */
export class Injector {
  /** What was not as it must be, a line each. */
  readonly problems: string[] = [];
  /** Operations that failed and were compared; of these, those that killed their process. */
  failures = 0;
  deaths = 0;
  private readonly camera: Camera;
  private readonly auditor: Auditor;
  private readonly countdown: number;
  private readonly words: Uint32Array;
  private readonly kernelDirectory: number;
  /** Before the operation under way; and who does it. */
  private before: Picture | undefined;
  private victim: SpacePicture | undefined;
  /** Pid of who does it, also when exec has given it other memory. */
  private pid = -1;
  private allowed: Allowed = { pages: false, protection: false };
  /** The victim's memory has been compared. */
  private compared = false;
  private auditNext = false;

  constructor(
    private readonly machine: Machine,
    kernel: Uint8Array,
    private readonly compares = true,
  ) {
    const layout = kernelLayout(kernel) as KernelLayout;
    const model = modelOf(layout);
    const { ram } = machine.cpu;
    this.words = new Uint32Array(ram.buffer, ram.byteOffset, ram.byteLength >>> 2);
    this.camera = new Camera(this.words, model, layout);
    this.auditor = new Auditor(machine, layout);
    const index = (name: string) => (layout.variables[name] - model.constants.kernelBase) >>> 2;
    this.countdown = index("failCountdown");
    this.kernelDirectory = index("kernelDirectory");
    machine.onEvent(({ kind, a, b }) => {
      if (kind === EventKind.Mark) this.marked(a >>> 24, a & 0xffffff);
      else if (kind === EventKind.Cr3Load) this.switched(a);
      else if (kind === EventKind.Iret && b === USER_RING && this.auditNext) this.audit("after a death");
    });
  }

  /** Pages that the kernel has written to swap. */
  get swappedOut(): number {
    return this.camera.counter("swapOuts");
  }

  private marked(mark: number, argument: number): void {
    if (mark === Mark.Inject) this.arm(argument);
    else if (mark === Mark.Injected) this.ended(argument);
    else if (mark === Mark.Exec && argument === this.pid) this.forget();
    else if (mark === Mark.TaskExit && argument === this.pid) this.died();
  }

  private arm(argument: number): void {
    const leaves = argument >>> LEAVES_SHIFT;
    this.allowed = { pages: leaves === InjectLeaves.Pages, protection: leaves === InjectLeaves.Protection };
    this.before = this.camera.take();
    const current = this.machine.registers.cr3 >>> 12;
    this.victim = [...this.before.spaces.values()].find(({ mm }) => this.directoryOf(mm) === current);
    this.pid = this.victim?.pid ?? -1;
    this.compared = false;
    this.words[this.countdown] = argument & ((1 << LEAVES_SHIFT) - 1);
  }

  /** Frame of the directory of the Mm at an address. */
  private directoryOf(mm: number): number {
    return (this.words[(mm - 0xc0000000) >>> 2] - 0xc0000000) >>> 12;
  }

  /** There is nothing to compare with any more. */
  private forget(): void {
    this.before = undefined;
    this.victim = undefined;
  }

  private ended(failed: number): void {
    this.words[this.countdown] = 0;
    const { before } = this;
    this.pid = -1;
    this.forget();
    this.audit("after an operation");
    if (before === undefined || failed === 0) return;
    this.failures++;
    this.noteDifferences(differences(before, this.camera.take(), this.allowed));
  }

  /** CR3 was loaded: if the victim is dying for want of memory, its memory is as it was when it wanted it. */
  private switched(cr3: number): void {
    const { before, victim } = this;
    const used = this.words[this.countdown] === 0;
    if (!before || !victim || !used || this.compared || cr3 !== this.words[this.kernelDirectory] - 0xc0000000) return;
    this.compared = true;
    const exact = this.camera.counter("tablesUnshared") === before.unshared;
    this.noteDifferences(spaceDifferences(victim, this.camera.takeSpace(victim), this.allowed, exact));
  }

  private died(): void {
    const { before, pid } = this;
    if (before && this.words[this.countdown] === 0) {
      this.failures++;
      this.deaths++;
      if (!this.compared) this.noteDifferences(["a process died before its memory was compared"]);
      this.noteDifferences(differences(before, this.camera.take(), this.allowed, pid));
    }
    this.auditNext = true;
    this.words[this.countdown] = 0;
    this.pid = -1;
    this.forget();
  }

  private audit(when: string): void {
    this.auditNext = false;
    this.note(this.auditor.audit().map((finding) => `${when}: ${this.auditor.describe(finding)}`));
  }

  private noteDifferences(lines: string[]): void {
    if (this.compares) this.note(lines);
  }

  private note(lines: string[]): void {
    if (this.problems.length < 40) this.problems.push(...lines);
  }
}
