/**
 * The conversation with one debugger: a table of packets, each with its answer. May import the rest of tools/gdb.
 *
 * An empty answer means that a packet is not known; `E` and two digits that it is known and cannot be done. Whatever a packet says, it
 * is answered, and the machine stays as it was unless the packet was understood whole.
 * Source: the gdb manual, "Remote Protocol", Packets, General Query Packets, Stop Reply Packets.
 */
import type { Goal, Progress, Stop } from "./control";
import type { Debugged } from "./debugged";
import { fromHex, PACKET_BYTES, toHex } from "./packet";
import { readRegister, readRegisters, targetDescription, writeRegister, writeRegisters } from "./registers";
import type { WatchKind } from "./stops";
import type { SavedRegisters, Task } from "./tasks";

/** How a session ended: the client went, wants the machine to run on, or to end. */
export type Farewell = "gone" | "detach" | "kill";

/** The session's way to the client, and to time. */
export interface Wire {
  send(body: string): void;
  /** Waits, but at most so long; sooner where something has come from the client. */
  pause(milliseconds: number): Promise<void>;
  end(farewell: Farewell): void;
}

const SIGINT = 2;
const SIGTRAP = 5;
const ALL = -1;
const ANY = 0;
const FAILED = "E01";
const MOST_READ = PACKET_BYTES / 2 - 16;
/** Characters of output in one packet. */
const OUTPUT_CHUNK = 1000;
const USER = 3;

type Handler = (session: Session, text: string) => string | undefined;

/** Packets by how they begin; longer beginnings come first. No answer: it comes later, or there is none. */
const PACKETS: readonly (readonly [string, Handler])[] = [
  ["qSupported", (session) => session.supported()],
  ["QStartNoAckMode", () => "OK"],
  ["qXfer:features:read:target.xml:", (_, text) => piece(targetDescription(), text)],
  ["qXfer:threads:read::", (session, text) => piece(session.threadsText(), text)],
  [
    "qfThreadInfo",
    (session) =>
      `m${session.debuggee.tasks
        .list()
        .map(({ thread }) => thread.toString(16))
        .join(",")}`,
  ],
  ["qsThreadInfo", () => "l"],
  ["qThreadExtraInfo,", (session, text) => session.threadInfo(text)],
  ["qC", (session) => `QC${session.debuggee.tasks.running.toString(16)}`],
  ["qAttached", () => "0"],
  ["qRcmd,", (session, text) => session.monitor(text)],
  ["qqemu.PhyMemMode", (session) => (session.debuggee.memory.physical ? "1" : "0")],
  ["Qqemu.PhyMemMode:", (session, text) => session.physicalMode(text)],
  ["qSymbol", () => "OK"],
  ["vCont?", () => "vCont;c;C;s;S;r"],
  ["vCont;", (session, text) => session.resumeThreads(text)],
  ["vKill", (session) => session.leave("kill", "OK")],
  ["?", (session) => session.stopReply(session.lastStop)],
  ["H", (session, text) => session.selectThread(text)],
  ["T", (session, text) => (session.threadOf(text) === undefined ? FAILED : "OK")],
  ["g", (session) => readRegisters(session.machine, session.savedRegisters)],
  ["G", (session, text) => session.writeAll(text)],
  ["p", (session, text) => session.readOne(text)],
  ["P", (session, text) => session.writeOne(text)],
  ["m", (session, text) => session.readMemory(text)],
  ["M", (session, text) => session.writeMemory(text, fromHex)],
  ["X", (session, text) => session.writeMemory(text, (data) => Buffer.from(data, "latin1"))],
  ["Z", (session, text) => session.point(text, true)],
  ["z", (session, text) => session.point(text, false)],
  ["c", (session) => session.resume(session.debuggee.control.forward())],
  ["s", (session) => session.resume(session.debuggee.control.forward(session.stepGoal()))],
  ["bc", (session) => session.resume(session.debuggee.control.backward())],
  ["bs", (session) => session.resume(session.debuggee.control.backward(session.stepGoal()))],
  ["D", (session) => session.leave("detach", "OK")],
  ["k", (session) => session.leave("kill", undefined)],
];
const BY_LENGTH = [...PACKETS].sort(([a], [b]) => b.length - a.length);

export class Session {
  lastStop: Stop = { kind: "step" };
  /** The thread whose registers and memory are meant; undefined: the one that runs. */
  private selected: number | undefined;
  private running = false;
  private interrupted = false;
  private left = false;
  /** What has come while the machine runs is answered when it has stopped. */
  private readonly waiting: string[] = [];

  constructor(
    readonly debuggee: Debugged,
    private readonly wire: Wire,
  ) {
    // What the client before has left.
    debuggee.stops.clear();
    debuggee.memory.physical = false;
  }

  get machine() {
    return this.debuggee.control.machine;
  }

  /** Whether the machine runs at this client's word. */
  get runs(): boolean {
    return this.running;
  }

  /** Answers a packet. */
  handle(body: string): void {
    if (this.running) {
      if (this.waiting.length < 16) this.waiting.push(body);
      return;
    }
    const found = BY_LENGTH.find(([name]) => body.startsWith(name));
    const answer = found === undefined ? "" : found[1](this, body.slice(found[0].length));
    if (answer !== undefined) this.wire.send(answer);
  }

  /** ^C. */
  interrupt(): void {
    this.interrupted = true;
  }

  /** The client is gone. A run under way ends at its next slice. */
  vanish(): void {
    this.left = true;
    this.interrupted = true;
    if (!this.running) this.wire.end("gone");
  }

  /** Text that the debugger shows. */
  print(text: string): void {
    for (let at = 0; at < text.length; at += OUTPUT_CHUNK) {
      this.wire.send(`O${toHex(Buffer.from(text.slice(at, at + OUTPUT_CHUNK), "latin1"))}`);
    }
  }

  supported(): string {
    const features = ["qXfer:features:read+", "qXfer:threads:read+", "vContSupported+", "QStartNoAckMode+"];
    return [
      `PacketSize=${PACKET_BYTES.toString(16)}`,
      ...features,
      "ReverseStep+",
      "ReverseContinue+",
      "swbreak+",
      "hwbreak+",
    ].join(";");
  }

  stopReply(stop: Stop): string {
    const { running } = this.debuggee.tasks;
    const signal = stop.kind === "interrupt" ? SIGINT : SIGTRAP;
    return `T${signal.toString(16).padStart(2, "0")}${reasonOf(stop)}thread:${running.toString(16)};`;
  }

  // Threads.

  private get task(): Task | undefined {
    const { tasks } = this.debuggee;
    return tasks.find(this.selected ?? tasks.running) ?? tasks.find(tasks.running);
  }

  /** Of the selected thread, where it does not run. */
  get savedRegisters(): SavedRegisters | undefined {
    const { task } = this;
    return task === undefined ? undefined : this.debuggee.tasks.saved(task);
  }

  /** The selected thread's page directory. */
  private get directory(): number {
    return this.task?.directory ?? this.machine.cpu.control(3);
  }

  /** A thread by its number in a packet; undefined where there is none of it. */
  threadOf(text: string): Task | undefined {
    return /^[0-9a-fA-F]+$/.test(text) ? this.debuggee.tasks.find(Number.parseInt(text, 16)) : undefined;
  }

  selectThread(text: string): string {
    const id = text.slice(1) === "-1" ? ALL : Number.parseInt(text.slice(1), 16);
    if (!/^[gc]/.test(text) || Number.isNaN(id)) return FAILED;
    if (id === ALL || id === ANY) {
      if (text[0] === "g") this.selected = undefined;
      return "OK";
    }
    if (this.debuggee.tasks.find(id) === undefined) return FAILED;
    if (text[0] === "g") this.selected = id;
    return "OK";
  }

  threadInfo(text: string): string {
    const task = this.threadOf(text);
    return task === undefined ? FAILED : toHex(Buffer.from(`${task.name}, ${task.state}`));
  }

  threadsText(): string {
    const rows = this.debuggee.tasks.list().map(({ thread, name, state }) => {
      return `<thread id="${thread.toString(16)}" name="${escapeXml(name)}">${state}</thread>`;
    });
    return `<?xml version="1.0"?><threads>${rows.join("")}</threads>`;
  }

  // Registers and memory.

  readOne(text: string): string {
    const number = Number.parseInt(text, 16);
    return readRegister(this.machine, number, this.savedRegisters) ?? FAILED;
  }

  writeOne(text: string): string {
    const [number, digits = ""] = text.split("=");
    const bytes = fromHex(digits);
    if (bytes === undefined || this.savedRegisters !== undefined) return FAILED;
    return this.change(() => writeRegister(this.machine, Number.parseInt(number, 16), bytes));
  }

  writeAll(text: string): string {
    const bytes = fromHex(text.replaceAll("x", "0"));
    if (bytes === undefined || this.savedRegisters !== undefined) return FAILED;
    return this.change(() => writeRegisters(this.machine, bytes));
  }

  private change(write: () => boolean): string {
    if (!write()) return FAILED;
    this.debuggee.control.modified();
    return "OK";
  }

  readMemory(text: string): string {
    const range = rangeOf(text);
    if (range === undefined) return FAILED;
    const { memory, stops } = this.debuggee;
    const ofProgram = stops.isProgram(this.task?.name);
    const bytes = memory.read(range.address, Math.min(range.bytes, MOST_READ), this.directory, ofProgram);
    return bytes.length === 0 && range.bytes > 0 ? FAILED : toHex(bytes);
  }

  writeMemory(text: string, decode: (data: string) => Uint8Array | undefined): string {
    const colon = text.indexOf(":");
    const range = rangeOf(text.slice(0, Math.max(0, colon)));
    const data = colon < 0 ? undefined : decode(text.slice(colon + 1));
    if (range === undefined || data === undefined || data.length !== range.bytes) return FAILED;
    if (data.length === 0) return "OK";
    return this.change(() => this.debuggee.memory.write(range.address, data, this.directory));
  }

  physicalMode(text: string): string {
    if (text !== "0" && text !== "1") return FAILED;
    this.debuggee.memory.physical = text === "1";
    return "OK";
  }

  /** Z and z: sets or clears a breakpoint or watchpoint. */
  point(text: string, on: boolean): string {
    const type = Number(text[0]);
    const range = rangeOf(text.slice(2));
    if (!(type >= 0 && type <= 4) || text[1] !== ",") return "";
    if (range === undefined) return FAILED;
    const { stops } = this.debuggee;
    if (type <= 1) stops.setBreakpoint(range.address, type === 1, on);
    else {
      const watch = { kind: type as WatchKind, ...range };
      if (range.bytes === 0 || range.bytes > MOST_READ) return FAILED;
      if (on) stops.addWatch(watch);
      else stops.removeWatch(watch);
    }
    return "OK";
  }

  monitor(text: string): string | undefined {
    const command = fromHex(text);
    if (command === undefined) return FAILED;
    const { task } = this;
    const progress = this.debuggee.monitor.run(Buffer.from(command).toString("latin1"), this.directory, task);
    if (typeof progress === "string") {
      this.print(progress);
      return "OK";
    }
    // The machine moves, and gdb, which asked for no run, does not look again by itself: see script.ts.
    void this.drive(progress).then((stop) => this.afterMove(stop));
    return undefined;
  }

  private afterMove(stop: Stop): void {
    this.lastStop = stop;
    const { instret } = this.machine;
    this.print(`at instruction ${instret}\n`);
    this.finish("OK");
  }

  // Running.

  /** vCont: the first action that names the running thread, or all. */
  resumeThreads(text: string): string | undefined {
    const { control } = this.debuggee;
    for (const action of text.split(";")) {
      const [verb, id] = action.split(":");
      if (!/^([csCSr])/.test(verb)) return FAILED;
      const thread = id === undefined || id === "-1" ? undefined : Number.parseInt(id, 16);
      if (verb[0] === "c" || verb[0] === "C") return this.resume(control.forward());
      if (verb[0] !== "r") return this.resume(control.forward(this.stepGoal(thread)));
      const [start, end] = verb
        .slice(1)
        .split(",")
        .map((part) => Number.parseInt(part, 16));
      if (!(start <= end)) return FAILED;
      const step = this.stepGoal(thread);
      const { cpu } = control.machine;
      return this.resume(control.forward(() => step() && !(cpu.eip >= start && cpu.eip < end)));
    }
    return FAILED;
  }

  /**
   * One instruction of a thread. While it is in user mode, traps run to their end meanwhile (unless `monitor traps into`); a thread that does not
   * run has to be given the processor first.
   */
  stepGoal(wanted: number | undefined = this.selected): Goal {
    const { tasks, monitor } = this.debuggee;
    const { cpu } = this.machine;
    const thread = wanted === undefined || wanted === ANY ? tasks.running : wanted;
    const task = tasks.find(thread);
    const saved = task === undefined ? undefined : tasks.saved(task);
    if (saved === undefined) {
      const over = cpu.cpl === USER && !monitor.stepsIntoTraps;
      return () => (!over || cpu.cpl === USER) && tasks.running === thread;
    }
    let arrived = false;
    return () => {
      if (arrived) return tasks.running === thread;
      arrived = cpu.eip === saved.eip && tasks.running === thread;
      return false;
    };
  }

  /** Runs; the answer comes when it has stopped. */
  resume(progress: Progress): undefined {
    void this.drive(progress).then((stop) => {
      this.lastStop = stop;
      if (stop.kind === "end") this.print(`tine: ${stop.text}\n`);
      this.finish(this.stopReply(stop));
    });
    return undefined;
  }

  private async drive(progress: Progress): Promise<Stop> {
    this.running = true;
    this.interrupted = false;
    this.selected = undefined;
    let step = progress.next(false);
    while (!step.done) {
      await this.wire.pause(step.value);
      step = progress.next(this.interrupted);
    }
    return step.value;
  }

  private finish(answer: string): void {
    this.running = false;
    if (this.left) {
      this.wire.end("gone");
      return;
    }
    this.wire.send(answer);
    while (!this.running) {
      const body = this.waiting.shift();
      if (body === undefined) break;
      this.handle(body);
    }
  }

  leave(farewell: Farewell, answer: string | undefined): undefined {
    if (answer !== undefined) this.wire.send(answer);
    this.left = true;
    this.wire.end(farewell);
    return undefined;
  }
}

function reasonOf(stop: Stop): string {
  if (stop.kind === "breakpoint") return stop.hardware ? "hwbreak:;" : "swbreak:;";
  if (stop.kind === "watch") {
    const name = { 2: "watch", 3: "rwatch", 4: "awatch" }[stop.watch.kind];
    return `${name}:${stop.watch.address.toString(16)};`;
  }
  if (stop.kind === "beginning") return "replaylog:begin;";
  return stop.kind === "end" ? "replaylog:end;" : "";
}

/** `ADDRESS,BYTES` in hexadecimal; undefined for another text. What follows a `;` is for others. */
function rangeOf(text: string): { address: number; bytes: number } | undefined {
  const match = /^([0-9a-fA-F]{1,8}),([0-9a-fA-F]{1,8})(;|$)/.exec(text);
  return match ? { address: Number.parseInt(match[1], 16), bytes: Number.parseInt(match[2], 16) } : undefined;
}

/** `OFFSET,LENGTH` of a document, as qXfer answers. */
function piece(document: string, text: string): string {
  const range = rangeOf(text);
  if (range === undefined) return "E00";
  const most = Math.min(range.bytes, MOST_READ);
  const part = document.slice(range.address, range.address + most);
  return (range.address + most < document.length ? "m" : "l") + part;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
