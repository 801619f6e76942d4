/**
 * The 8254's counter 0 as the system clock: IRQ 0 at TICKS_PER_SECOND. Counts ticks, ends sleeps that are due, charges
 * the current task, lets the disk notice a lost interrupt. Imports IRQs, the scheduler, the disk. Source: Intel 8254 data sheet.
 *
 * Ring 0 runs with interrupts off, so ticks that fall into one long system call count as one.
 */
import { outb } from "../abi/intrinsics";
import { TICKS_PER_SECOND } from "../abi/structs";
import { expireAlarms } from "../task/alarm";
import { evictionTick } from "../task/reclaim";
import { schedulerTick } from "../task/sched";
import { wakeSleepers } from "../task/timer";
import { diskTick } from "./diskqueue";
import { irqRegister } from "./irq";
import { picUnmask } from "./pic";

const COUNTER0: u32 = 0x40;
const CONTROL: u32 = 0x43;
/** Counter 0, low then high byte, mode 2 (rate generator), binary. */
const RATE_GENERATOR: u32 = 0x34;
const INPUT_HERTZ: u32 = 1193182;
const IRQ: u32 = 0;

let tickCount: u32 = 0;

/** Ticks since boot, modulo 2^32. */
export function ticks(): u32 {
  return tickCount;
}

function timerInterrupt(): void {
  tickCount++;
  wakeSleepers(tickCount);
  expireAlarms(tickCount);
  evictionTick();
  diskTick();
  schedulerTick();
}

/** Starts the clock. */
export function pitInit(): void {
  const divisor = (INPUT_HERTZ + TICKS_PER_SECOND / 2) / TICKS_PER_SECOND;
  outb(CONTROL, RATE_GENERATOR);
  outb(COUNTER0, divisor & 0xff);
  outb(COUNTER0, divisor >> 8);
  irqRegister(IRQ, timerInterrupt);
  picUnmask(IRQ);
}
