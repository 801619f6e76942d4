/** Guest programs that exercise processor and board together. Each ends through the exit port unless it says otherwise. */
import { AL, AX, absolute, at, BL, CL, DL, DX, EAX, EBX, ECX, EDI, EDX, ESI, Program } from "./guest";

const COM1 = 0x3f8;

/** Writes a text to COM1, waiting for the transmitter before each byte. */
export function helloByPolling(text: string): Program {
  const p = new Program();
  p.op("mov", ESI, { label: "text" }).op("mov", ECX, text.length);
  p.label("next")
    .op("mov", EDX, COM1 + 5)
    .label("wait")
    .op("in", AL, DX)
    .op("test", AL, 0x20)
    .jump("jz", "wait");
  p.op("mov", EDX, COM1).op("lodsb").op("out", DX, AL).op("dec", ECX).jump("jnz", "next").exit(0);
  return p.label("text").text(text);
}

/** Writes a text to COM1 from the transmitter-empty interrupt, asleep in between. */
export function helloByInterrupt(text: string): Program {
  const p = new Program();
  p.enter().pics(0xef);
  p.op("mov", ESI, { label: "text" }).op("mov", ECX, text.length);
  p.outb(COM1 + 4, 0x0b).outb(COM1 + 1, 2);
  p.label("sleep").op("sti").op("hlt").op("cli").op("test", ECX, ECX).jump("jnz", "sleep").exit(0);
  p.label("transmit")
    .op("mov", EDX, COM1 + 2)
    .op("in", AL, DX)
    .op("cmp", AL, 2)
    .jump("jnz", "quiet");
  p.op("mov", EDX, COM1)
    .op("lodsb")
    .op("out", DX, AL)
    .op("dec", ECX)
    .jump("jnz", "quiet")
    .outb(COM1 + 1, 0);
  p.label("quiet").outb(0x20, 0x20).op("iretd");
  return p.label("text").text(text).tables({ 36: "transmit" });
}

/** Sleeps through `ticks` timer interrupts of `count` PIT ticks each; then exits with 0. */
export function timerTicks(mode: number, count: number, ticks: number): Program {
  const p = new Program();
  p.enter().pics(0xfe).op("mov", ECX, ticks).timer(mode, count);
  p.label("sleep").op("sti").op("hlt").op("cli").op("test", ECX, ECX).jump("jnz", "sleep").exit(0);
  p.label("tick").op("dec", ECX).outb(0x20, 0x20).op("iretd");
  return p.tables({ 32: "tick" });
}

/** timerTicks() whose handler lets interrupts in before it tells the PIC that it is done. */
export function nestingTicks(count: number, ticks: number): Program {
  const p = new Program();
  p.enter().pics(0x00).op("mov", ECX, ticks).timer(2, count);
  p.label("sleep").op("sti").op("hlt").op("cli").op("test", ECX, ECX).jump("jnz", "sleep").exit(0);
  p.label("tick").op("sti").op("nop").op("nop").op("cli").op("dec", ECX).outb(0x20, 0x20).op("iretd");
  p.label("spurious").exit(1);
  return p.tables({ 32: "tick", 39: "spurious" });
}

/** Sends back what it receives by polling, until a "q", which it does not. */
export function echoByPolling(): Program {
  const p = new Program();
  p.label("wait")
    .op("mov", EDX, COM1 + 5)
    .op("in", AL, DX)
    .op("test", AL, 1)
    .jump("jz", "wait");
  p.op("mov", EDX, COM1).op("in", AL, DX).op("cmp", AL, 0x71).jump("jz", "end").op("out", DX, AL).jump("jmp", "wait");
  return p.label("end").exit(0);
}

/** Sleeps with the timer running but masked, and only input to wake it. */
export function maskedTimer(): Program {
  const p = new Program();
  p.enter()
    .pics(0xef)
    .timer(2, 100)
    .outb(COM1 + 4, 0x0b)
    .outb(COM1 + 1, 1);
  p.op("sti").op("hlt").exit(3);
  return p.label("received").exit(0).tables({ 36: "received" });
}

/** Counts in EBX while `ticks` timer interrupts arrive; writes EBX to the mark port and exits. */
export function busyTicks(count: number, ticks: number): Program {
  const p = new Program();
  p.enter().pics(0xfe).op("mov", ECX, ticks).op("xor", EBX, EBX).timer(2, count).op("sti");
  p.label("count").op("inc", EBX).op("test", ECX, ECX).jump("jnz", "count").op("cli");
  p.op("mov", EAX, EBX).op("mov", EDX, 0x7e0).op("out", DX, EAX).exit(0);
  p.label("tick").op("push", EAX).op("dec", ECX).outb(0x20, 0x20).op("pop", EAX).op("iretd");
  return p.tables({ 32: "tick" });
}

/** Sends back what it receives, plus one to each byte, by interrupts with the FIFO on; exits after a "q". */
export function echo(): Program {
  const p = new Program();
  p.enter()
    .pics(0xef)
    .op("xor", ECX, ECX)
    .outb(COM1 + 2, 0x81)
    .outb(COM1 + 4, 0x0b)
    .outb(COM1 + 1, 1);
  p.label("sleep").op("sti").op("hlt").op("cli").op("cmp", CL, 0x71).jump("jnz", "sleep").exit(0);
  p.label("received")
    .op("mov", EDX, COM1 + 5)
    .op("in", AL, DX)
    .op("test", AL, 1)
    .jump("jz", "quiet");
  p.op("mov", EDX, COM1).op("in", AL, DX).op("mov", CL, AL).op("inc", AL).op("out", DX, AL).jump("jmp", "received");
  p.label("quiet").outb(0x20, 0x20).op("iretd");
  return p.tables({ 36: "received" });
}

/** echo() with the timer running at `count` and a count of its ticks in EBX. */
export function echoWithTimer(count: number): Program {
  const p = new Program();
  p.enter().pics(0xee).op("xor", ECX, ECX).op("xor", EBX, EBX);
  p.outb(COM1 + 2, 0x41)
    .outb(COM1 + 4, 0x0b)
    .outb(COM1 + 1, 1)
    .timer(2, count);
  p.label("sleep").op("sti").op("hlt").op("cli").op("cmp", CL, 0x71).jump("jnz", "sleep").exit(0);
  p.label("tick").op("inc", EBX).outb(0x20, 0x20).op("iretd");
  p.label("received")
    .op("mov", EDX, COM1 + 5)
    .op("in", AL, DX)
    .op("test", AL, 1)
    .jump("jz", "quiet");
  p.op("mov", EDX, COM1).op("in", AL, DX).op("mov", CL, AL).op("inc", AL).op("out", DX, AL).jump("jmp", "received");
  p.label("quiet").outb(0x20, 0x20).op("iretd");
  return p.tables({ 32: "tick", 36: "received" });
}

/** Writes the marks, with instret read into the next one, and exits with 7. */
export function marks(): Program {
  const p = new Program();
  p.op("mov", EDX, 0x7e0).op("mov", EAX, 0x01020304).op("out", DX, EAX);
  p.op("mov", DL, 0xe4).op("in", EAX, DX).op("mov", DL, 0xe0).op("out", DX, EAX);
  p.op("mov", DL, 0xe8).op("in", EAX, DX).op("mov", DL, 0xe0).op("out", DX, EAX);
  p.op("mov", DL, 0xe4).op("xor", EAX, EAX).op("in", AX, DX).op("mov", DL, 0xe0).op("out", DX, EAX);
  p.op("out", DX, AX).op("out", DX, AL); // too narrow: no marks
  return p.exit(7);
}

/** Reads ports without a device, of 1, 2 and 4 bytes, and marks each value. */
export function openPorts(): Program {
  const p = new Program();
  for (const into of [AL, AX, EAX]) {
    p.op("xor", EAX, EAX).op("mov", EDX, 0x5678).op("in", into, DX).op("mov", EDX, 0x7e0).op("out", DX, EAX);
  }
  return p.exit(0);
}

/** Mixes arithmetic, memory, strings and a busy timer for a long while; marks a checksum every 65,536 rounds. Never ends. */
export function churn(): Program {
  const p = new Program();
  p.enter().pics(0xfe).op("mov", EBX, 0x12345678).timer(2, 1193).op("sti").op("cld").op("xor", ECX, ECX);
  p.label("round").op("imul", EBX, EBX, 1664525).op("add", EBX, 1013904223);
  p.op("mov", EDI, EBX).op("shr", EDI, 12).op("and", EDI, 0xffffc).op("add", EDI, 0x180000);
  p.op("add", at(EDI), EBX).op("xor", EBX, at(EDI, 4));
  p.op("inc", ECX).op("test", ECX, 0xfff).jump("jnz", "round");
  p.op("push", ECX).op("mov", ESI, 0x180000).op("mov", EDI, 0x280010).op("mov", ECX, 300);
  p.opWith({ prefixes: 4 }, "movsd").op("pop", ECX);
  p.op("mov", EAX, EBX).op("mov", EDX, 0x3f8).op("out", DX, AL);
  p.op("test", ECX, 0xffff).jump("jnz", "round");
  p.op("mov", EDX, 0x7e0).op("out", DX, EAX).jump("jmp", "round");
  p.label("tick").op("push", EAX).op("inc", absolute(0x17fff0)).outb(0x20, 0x20).op("pop", EAX).op("iretd");
  return p.tables({ 32: "tick" });
}

/** A processor that cannot deliver its exception: shuts down. */
export function tripleFault(): Program {
  const p = new Program();
  p.op("mov", EAX, { label: "empty" })
    .op("lidt", at(EAX, 0, 6))
    .label("ud")
    .op("ud2");
  return p.label("empty").bytes(0, 0, 0, 0, 0, 0);
}

/** Goes to sleep for good: interrupts off, or on with nothing that could interrupt. */
export function sleepForEver(interrupts: boolean): Program {
  const p = new Program();
  p.enter().pics(0xff);
  if (interrupts) p.op("sti");
  return p.op("hlt").exit(9).tables({});
}

/** Writes a byte into each page from 2 MB to `bytes`, then exits. */
export function touchAll(bytes: number): Program {
  const p = new Program();
  p.op("mov", EDI, 0x200000).op("mov", BL, 0x5a);
  p.label("page")
    .op("mov", at(EDI, 0, 1), BL)
    .op("add", EDI, 4096)
    .op("cmp", EDI, bytes)
    .jump("jb", "page");
  return p.exit(0);
}
