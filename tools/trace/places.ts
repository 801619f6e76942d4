/**
 * Where events happen, as text: "main+0x5 hello.ts:12". May import code, eventtypes, programs.
 */
import { nameOf } from "./code";
import type { TraceEvent } from "./eventtypes";
import type { CodeNames, Programs } from "./programs";

/** Where marks are written, in whatever function: who looks for a mark's place wants to know of that one. */
const MARK_FILE = "kernel/lib/mark.ts";
/** Bytes of code that writing a mark takes, at most. */
const MARK_BYTES = 32;

export class Places {
  /** What has been looked up. */
  private readonly known = new Map<CodeNames, Map<number, string>>();

  constructor(private readonly programs: Programs) {}

  /** The place of an event that happens now; "" where nothing is known. */
  of(event: TraceEvent): string {
    // A return address may belong to the next line already.
    const address = event.kind === "frameAlloc" || event.kind === "frameFree" ? event.caller - 1 : event.eip;
    const names = this.programs.namesAt(address);
    if (names === undefined) return "";
    let places = this.known.get(names);
    if (places === undefined) {
      places = new Map();
      this.known.set(names, places);
    }
    let place = places.get(address);
    if (place === undefined) {
      const source = sourceOf(names, address);
      place = [nameOf(names, address), source && `${source.file}:${source.line}`].filter(Boolean).join(" ");
      places.set(address, place);
    }
    return place;
  }
}

/** The source line at an address; of a mark that is written in line, that of its caller. */
function sourceOf(names: CodeNames, address: number): { file: string; line: number } | undefined {
  const source = names.line(address);
  if (source?.file !== MARK_FILE) return source;
  const name = names.lookup(address)?.name;
  for (let before = address - 1; before > address - MARK_BYTES && names.lookup(before)?.name === name; before--) {
    const caller = names.line(before);
    if (caller?.file !== MARK_FILE) return caller;
  }
  return source;
}
