/**
 * The private memory that a program of the laboratory forks with: from the beginning of a 4 MB slot on, so that a size has the same page
 * tables in every program, each page written with a word that no other page has. May import lib and support/.
 */
import { cstr, isError, MAP_PRIVATE, mmapAnonymous, PROT_READ, PROT_WRITE } from "../../lib/index";
import { must } from "./results";

export const PAGE: usize = 4096;
export const PAGES_A_TABLE: u32 = 1024;
/** Room up to the stack: 1,280 MB. */
export const PLACE: usize = 0x60000000;
/** Largest area, in KB. */
export const MOST_KB: u32 = 1024 * 1024;

/** Address of a page. */
export function pageAt(page: u32): usize {
  return PLACE + page * PAGE;
}

/** What a page's first word is before anybody else writes it. */
export function wordOf(page: u32): u32 {
  return page * 0x9e3779b1 + 1;
}

/** Maps so many bytes of private memory at `address`, or fails. */
export function mapPrivate(address: usize, bytes: usize): void {
  const start = mmapAnonymous(address, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  must(!isError(start) && start == address, cstr("no memory"));
}

/** Writes every page. */
export function writeArea(pages: u32): void {
  for (let page: u32 = 0; page < pages; page++) store<u32>(pageAt(page), wordOf(page));
}

/** Maps an area of so many KB and writes every page: how many pages it has. */
export function fillArea(kilobytes: u32): u32 {
  const pages = (kilobytes + 3) / 4;
  mapPrivate(PLACE, pages * PAGE);
  writeArea(pages);
  return pages;
}

/** Whether every `step`-th page of an area is as it was filled. */
export function areaIntact(pages: u32, step: u32): bool {
  for (let page: u32 = 0; page < pages; page += step) if (load<u32>(pageAt(page)) != wordOf(page)) return false;
  return true;
}
