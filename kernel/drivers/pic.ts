/**
 * Two 8259A interrupt controllers, the second on line 2 of the first. Vectors 0x20–0x27 and 0x28–0x2f; all lines masked
 * until a driver asks. Imports the intrinsics. Source: Intel 8259A data sheet.
 */
import { inb, outb } from "../abi/intrinsics";

const MASTER_COMMAND: u32 = 0x20;
const MASTER_DATA: u32 = 0x21;
const SLAVE_COMMAND: u32 = 0xa0;
const SLAVE_DATA: u32 = 0xa1;

/** ICW1: edge triggered, cascaded, ICW4 follows. */
const ICW1: u32 = 0x11;
/** ICW4: 8086 mode, normal end of interrupt. */
const ICW4: u32 = 0x01;
/** OCW3: the next read gives the in-service register. */
const READ_IN_SERVICE: u32 = 0x0b;
/** OCW2: end of the interrupt of highest priority. */
const END_OF_INTERRUPT: u32 = 0x20;

const CASCADE_LINE: u32 = 2;
/** Vector of line 0. */
const FIRST_VECTOR: u32 = 0x20;

/** Initialises both controllers with every line masked but the cascade. */
export function picInit(): void {
  outb(MASTER_COMMAND, ICW1);
  outb(SLAVE_COMMAND, ICW1);
  outb(MASTER_DATA, FIRST_VECTOR);
  outb(SLAVE_DATA, FIRST_VECTOR + 8);
  outb(MASTER_DATA, 1 << CASCADE_LINE);
  outb(SLAVE_DATA, CASCADE_LINE);
  outb(MASTER_DATA, ICW4);
  outb(SLAVE_DATA, ICW4);
  outb(MASTER_DATA, 0xff & ~(1 << CASCADE_LINE));
  outb(SLAVE_DATA, 0xff);
}

/** Lets interrupts of a line through. */
export function picUnmask(irq: u32): void {
  const port = irq < 8 ? MASTER_DATA : SLAVE_DATA;
  outb(port, inb(port) & ~(1 << (irq & 7)));
}

/** Whether this interrupt is none: line 7 or 15 with its in-service bit clear. A spurious one of the slave's is still in
 * service at the master, and is ended there. */
export function picIsSpurious(irq: u32): bool {
  if ((irq & 7) != 7) return false;
  const command = irq < 8 ? MASTER_COMMAND : SLAVE_COMMAND;
  outb(command, READ_IN_SERVICE);
  if ((inb(command) & 0x80) != 0) return false;
  if (irq >= 8) outb(MASTER_COMMAND, END_OF_INTERRUPT);
  return true;
}

/** Tells the controllers that the interrupt of a line has been taken. */
export function picEndOfInterrupt(irq: u32): void {
  if (irq >= 8) outb(SLAVE_COMMAND, END_OF_INTERRUPT);
  outb(MASTER_COMMAND, END_OF_INTERRUPT);
}
