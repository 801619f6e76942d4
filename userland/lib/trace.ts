/**
 * What a program says to whoever traces it: marks that a listening host obeys or shows (tine trace --marked, --after mark:7). They cost the
 * same whether anyone listens. May import kernel/abi only. Source: kernel/abi/marks.ts, which draws the encoding.
 */
import { outl } from "../../kernel/abi/intrinsics";
import { MARK_PORT, Mark, TraceControl } from "../../kernel/abi/marks";

function tell(control: TraceControl, tag: u32): void {
  outl(MARK_PORT, (Mark.Trace << 24) | (control << 16) | tag);
}

/** A trace with --marked shows what follows. */
export function traceOn(): void {
  tell(TraceControl.On, 0);
}

/** It shows no more, until the next traceOn(). */
export function traceOff(): void {
  tell(TraceControl.Off, 0);
}

/** A place in the trace that can be found again by its tag, 0 to 65535. */
export function traceNote(tag: u32): void {
  tell(TraceControl.Note, tag);
}
