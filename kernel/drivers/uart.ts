/**
 * The 16550A serial port COM1, IRQ 4: the console's wire. Bytes to send wait in a ring; the FIFO is filled whenever the
 * transmitter is empty, at once or from its interrupt. Received bytes go to a handler as they come, until it has no more
 * room; then reception stays off until uartReceiveOn. The kernel's own messages bypass the ring (after it) by polling.
 * Imports ring, IRQs, the scheduler. Source: National PC16550D data sheet.
 */
import { inb, outb } from "../abi/intrinsics";
import { ByteRing, ringInit, ringPut, ringTake } from "../lib/ring";
import { TaskQueue } from "../task/queue";
import { wakeAll } from "../task/sched";
import { irqRegister } from "./irq";
import { picUnmask } from "./pic";

const BASE: u32 = 0x3f8;
const DATA: u32 = BASE;
const INTERRUPT_ENABLE: u32 = BASE + 1;
const FIFO_CONTROL: u32 = BASE + 2;
const LINE_CONTROL: u32 = BASE + 3;
const MODEM_CONTROL: u32 = BASE + 4;
const LINE_STATUS: u32 = BASE + 5;

const IRQ: u32 = 4;
/** Interrupt when a byte has come, when the transmitter is empty. */
const ENABLE_RECEIVED: u32 = 1;
const ENABLE_TRANSMITTER_EMPTY: u32 = 2;
/** On, both emptied, interrupt at the first byte. */
const FIFO_SETUP: u32 = 0x07;
const FIFO_BYTES: u32 = 16;
const DIVISOR_LATCH: u32 = 0x80;
const EIGHT_BITS: u32 = 0x03;
/** DTR, RTS, and OUT2, which lets the interrupt through to the PIC. */
const MODEM_SETUP: u32 = 0x0b;
const DATA_READY: u32 = 0x01;
const TRANSMITTER_EMPTY: u32 = 0x20;
const RING_BYTES: u32 = 4096;

const ring: ByteRing = changetype<ByteRing>(memory.data(16));
const ringStorage: usize = memory.data(4096);
/** Who waits for room in the ring. */
const roomWait: TaskQueue = changetype<TaskQueue>(memory.data(8));
let enabled: u32 = 0;

type Receiver = (byte: u32) => bool;
/** Address of the receiver's function object; it takes a byte, and says whether there is room for another. */
let receiver: usize = 0;

function setEnabled(bits: u32): void {
  if (bits == enabled) return;
  enabled = bits;
  outb(INTERRUPT_ENABLE, bits);
}

/** 115,200 baud, eight bits, no parity; interrupts off. The first thing that boot does, so that messages come out. */
export function uartInit(): void {
  outb(INTERRUPT_ENABLE, 0);
  outb(LINE_CONTROL, DIVISOR_LATCH);
  outb(DATA, 1);
  outb(INTERRUPT_ENABLE, 0);
  outb(LINE_CONTROL, EIGHT_BITS);
  outb(FIFO_CONTROL, FIFO_SETUP);
  outb(MODEM_CONTROL, MODEM_SETUP);
  ringInit(ring, ringStorage, RING_BYTES);
}

/** Turns the interrupts on; received bytes go to `handler` from now on. */
export function uartStart(handler: Receiver): void {
  receiver = changetype<usize>(handler);
  irqRegister(IRQ, uartInterrupt);
  picUnmask(IRQ);
  setEnabled(ENABLE_RECEIVED);
}

/** Fills the FIFO from the ring while the transmitter takes it; asks for an interrupt if more is left. */
function transmit(): void {
  while (ring.used != 0 && (inb(LINE_STATUS) & TRANSMITTER_EMPTY) != 0) {
    for (let i: u32 = 0; i < FIFO_BYTES && ring.used != 0; i++) outb(DATA, ringTake(ring));
  }
  if (ring.used != 0) setEnabled(enabled | ENABLE_TRANSMITTER_EMPTY);
  else setEnabled(enabled & ~ENABLE_TRANSMITTER_EMPTY);
  if (ring.free != 0) wakeAll(roomWait);
}

function receive(): void {
  while ((inb(LINE_STATUS) & DATA_READY) != 0) {
    if (!changetype<Receiver>(receiver)(inb(DATA))) {
      setEnabled(enabled & ~ENABLE_RECEIVED);
      return;
    }
  }
}

/** The PIC sees edges only: the handler ends with nothing pending, or a byte that came meanwhile would never interrupt. */
function uartInterrupt(): void {
  do {
    if ((enabled & ENABLE_RECEIVED) != 0) receive();
    transmit();
  } while ((enabled & ENABLE_RECEIVED) != 0 && (inb(LINE_STATUS) & DATA_READY) != 0);
}

/** The receiver has room again. */
export function uartReceiveOn(): void {
  setEnabled(enabled | ENABLE_RECEIVED);
}

/** Puts a byte into the ring; false if it is full. uartFlush sends. */
export function uartQueue(byte: u32): bool {
  if (ring.free == 0) transmit();
  if (ring.free == 0) return false;
  ringPut(ring, byte);
  return true;
}

/** Starts sending what is in the ring. */
export function uartFlush(): void {
  transmit();
}

/** Bytes that uartQueue will take now. */
export function uartRoom(): u32 {
  return ring.free;
}

/** Where to sleep until the ring has room. */
export function uartRoomQueue(): TaskQueue {
  return roomWait;
}

/** Sends what is in the ring, and waits until the transmitter has taken it. */
export function uartDrain(): void {
  while (ring.used != 0) {
    waitForTransmitter();
    outb(DATA, ringTake(ring));
  }
}

function waitForTransmitter(): void {
  while ((inb(LINE_STATUS) & TRANSMITTER_EMPTY) == 0) {}
}

/** Sends a byte by polling, after all that is in the ring. For the kernel's messages, panic included. */
export function uartWriteNow(byte: u32): void {
  uartDrain();
  waitForTransmitter();
  outb(DATA, byte);
}
