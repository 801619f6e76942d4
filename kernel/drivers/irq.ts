/**
 * From an interrupt line to its driver. A handler runs with IF = 0, on the stack of whoever was interrupted, and must not
 * sleep. The PIC is told of the end of the interrupt first, so that a handler may switch nothing and lose nothing.
 */
import { picEndOfInterrupt, picIsSpurious } from "./pic";

const IRQ_LINES: u32 = 16;
type Handler = () => void;

/** Address of the handler's function object for each line, or 0. */
const handlers: usize = memory.data(64);

/** Makes `handler` the driver of a line. The caller unmasks it at the PIC. */
export function irqRegister(irq: u32, handler: Handler): void {
  assert(irq < IRQ_LINES);
  store<usize>(handlers + irq * 4, changetype<usize>(handler));
}

/** Serves an interrupt of line 0 … 15; called by kernel/arch/i386/trap.ts. A spurious one, or nobody's, is passed over. */
export function irqDispatch(irq: u32): void {
  if (picIsSpurious(irq)) return;
  picEndOfInterrupt(irq);
  const handler = load<usize>(handlers + irq * 4);
  if (handler != 0) changetype<Handler>(handler)();
}
