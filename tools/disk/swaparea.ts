/**
 * Swap areas as mkswap(8) makes them: a header page, and pages that a kernel may write. May import cpu's public face.
 */
import { BufferDisk } from "../../cpu/index";

const PAGE_BYTES = 4096;
const VERSION_AT = 1024;
const LAST_PAGE_AT = 1028;
const SIGNATURE_AT = 4086;
const SIGNATURE = "SWAPSPACE2";

/** The header page of an area of `pages` pages, the header's own among them. */
export function swapHeader(pages: number): Uint8Array {
  const header = new Uint8Array(PAGE_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(VERSION_AT, 1, true);
  view.setUint32(LAST_PAGE_AT, pages - 1, true);
  header.set(Buffer.from(SIGNATURE, "latin1"), SIGNATURE_AT);
  return header;
}

/** A disk in memory that is one swap area of `megabytes`. */
export function swapDisk(megabytes: number): BufferDisk {
  const contents = new Uint8Array(megabytes << 20);
  contents.set(swapHeader(contents.length / PAGE_BYTES));
  return new BufferDisk(contents);
}
