/**
 * The life of a frame: from when it was given out as a page table or for data to when it was given back, and the entries into the
 * kernel that changed who uses it. May import sample, tools/replay, tools/audit/model, cpu.
 *
 * One pass over the run compares samples at every event. Events are as dense as needed: whatever changes a use is done by the kernel,
 * which is entered and left by events, and says what it shares by marks.
 */
import { EventKind, type Machine } from "../../cpu/index";
import type { Model } from "../audit/model";
import type { History } from "../replay/history";
import { FrameSampler, NOTHING, type Sample, sameSample } from "./sample";

/** A stay in the kernel that changed the frame's use. */
export interface ChangingEntry {
  /** instret when the kernel was entered from user mode; what has run since is stepped through to find the writes. */
  from: number;
  /** instret by which the last change was seen. */
  to: number;
  before: Sample;
  after: Sample;
}

export interface FrameLife {
  frame: number;
  /** "table" or "data"; what the frame is at the end of the pass where it never was either. */
  kind: string;
  /** It has not been given back by then. */
  isAlive: boolean;
  /** The last that was seen of it. */
  now: Sample;
  entries: ChangingEntry[];
}

const USER_RING = 3;
const PUSHED_SELECTOR = 4;

/** The last life of a frame up to where the machine of a history is; leaves it there. */
export function lifeOf(history: History, model: Model, frame: number): FrameLife {
  const { machine } = history;
  const until = machine.instret;
  const pass = new Pass(machine, model, frame);
  history.seek(history.beginning);
  pass.begin();
  history.seek(until);
  pass.end();
  return pass.life();
}

class Pass {
  private readonly sampler: FrameSampler;
  private last: Sample;
  /** Of all lives. */
  private readonly changes: ChangingEntry[] = [];
  /** instret at the last entry from user mode; -1 before the first. */
  private entered = -1;
  private heard = 0;
  private unlisten = (): void => {};

  constructor(
    private readonly machine: Machine,
    private readonly model: Model,
    private readonly frame: number,
  ) {
    this.sampler = new FrameSampler(machine, model, frame);
    this.last = NOTHING;
  }

  begin(): void {
    this.last = this.sampler.take();
    this.unlisten = this.machine.onEvent(({ kind, instret, b }) => {
      this.look(instret);
      this.heard = instret;
      if (kind === EventKind.TrapEntry && this.comesFromUser(b)) this.entered = instret;
    });
  }

  end(): void {
    this.unlisten();
    this.look(this.machine.instret);
  }

  /** Whether the trap that has just been entered, with an error code or -1, came from user mode: by the selector that it pushed. */
  private comesFromUser(errorCode: number): boolean {
    const { esp } = this.machine.registers;
    const pushed = this.machine.readVirtual(esp + (errorCode < 0 ? 0 : 4) + PUSHED_SELECTOR, 1);
    return (pushed[0] & 3) === USER_RING;
  }

  private look(instret: number): void {
    const now = this.sampler.take();
    if (sameSample(now, this.last)) return;
    // While the kernel boots it has not been entered yet.
    const from = this.entered < 0 ? this.heard : this.entered;
    const last = this.changes.at(-1);
    if (last?.from === from) Object.assign(last, { to: instret, after: now });
    else this.changes.push({ from, to: instret, before: this.last, after: now });
    this.last = now;
  }

  life(): FrameLife {
    const { table, data } = this.model.constants;
    const isLife = ({ kind }: Sample): boolean => kind === table || kind === data;
    const { changes, frame, last } = this;
    const kindName = (kind: number): string => this.model.kindNames[kind] ?? "no frame";
    const isAlive = isLife(last);
    let end = changes.length;
    if (!isAlive) while (end > 0 && !isLife(changes[end - 1].before)) end--;
    if (end === 0) return { frame, kind: kindName(last.kind), isAlive: false, now: last, entries: [] };
    const { kind } = isAlive ? last : changes[end - 1].before;
    let begin = end - 1;
    while (begin > 0 && changes[begin].before.kind === kind) begin--;
    return { frame, kind: kindName(kind), isAlive, now: last, entries: changes.slice(begin, end) };
  }
}
