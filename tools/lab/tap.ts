/**
 * Reads the TAP that guest test programs print (userland/lib/test.ts). May import nothing.
 * Invariant: a plan that is missing or does not match makes a failed case of its own, so that a program which dies half
 * way cannot look like one that passed.
 */

/** One named guest case. */
export interface GuestCase {
  name: string;
  ok: boolean;
  /** Comment lines that the guest printed before the verdict: why it failed. */
  notes: string[];
}

/** The cases of one program's output, in order. */
export function readTap(output: string): GuestCase[] {
  const cases: GuestCase[] = [];
  let notes: string[] = [];
  let planned: number | undefined;
  for (const line of output.split(/\r?\n/)) {
    const verdict = /^(not )?ok \d+ - (.*)$/.exec(line);
    const plan = /^1\.\.(\d+)$/.exec(line);
    if (verdict) {
      cases.push({ name: verdict[2] ?? "", ok: verdict[1] === undefined, notes });
      notes = [];
    } else if (plan) planned = Number(plan[1]);
    else if (line.trim() !== "") notes.push(line);
  }
  if (planned !== cases.length) {
    const name =
      planned === undefined ? "the program never printed its plan" : `${planned} cases planned, ${cases.length} seen`;
    cases.push({ name, ok: false, notes });
  }
  return cases;
}
