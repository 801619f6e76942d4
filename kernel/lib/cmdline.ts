/**
 * The kernel's command line: blank-separated words `key=value`; after a word `--` come init's arguments. The first word is
 * skipped if it has no `=` and is not `--`: boot loaders put the kernel's file name there. A word that is not understood is
 * reported and ignored. Imports strings and printk.
 *
 *     fork=copy|share|auto   what fork does with page tables     init=PATH     the first program
 *     poison=on|off     fill and check freed frames              failalloc=N   the Nth allocation after boot fails
 *     swap=on|off       whether the disk's swap area (it needs mkswap's header) is put to use at boot
 *     reclaim=on|off    off: who finds no memory is killed at once (tests)      evict=SEED  evict pages at random (tests)
 *     wp=on|off         whether the CPU checks the kernel's writes to user memory (CR0.WP), or the kernel itself
 *     rmap=on|off       whether memory management knows which ptes map a page
 *     quiet             no lines of the kernel's own on the console, so that a program's output stands alone
 *
 * An argument of init that begins with a double quote runs to the next one, blanks included.
 */
import { cstr } from "../abi/intrinsics";
import { ForkMode } from "../mm/memory";
import { bufferByte, formatText, TextBuffer } from "./format";
import { printk } from "./printk";
import { parseDecimal, spanEquals } from "./string";

/** What fork does unless the command line says otherwise. */
const DEFAULT_FORK_MODE: ForkMode = ForkMode.Auto;

const BLANK: u32 = 0x20;
const EQUALS: u32 = 0x3d;
const QUOTE: u32 = 0x22;
/** Longest path of init, NUL included. */
const INIT_PATH_BYTES: u32 = 256;

/** What the command line came to. */
@unmanaged
export class BootOptions {
  forkMode: ForkMode = ForkMode.Copy;
  poison: bool = false;
  quiet: bool = false;
  /** The CPU protects read-only user pages from the kernel too. */
  writeProtect: bool = true;
  /** There is a reverse map. */
  reverseMap: bool = true;
  swap: bool = false;
  reclaim: bool = true;
  /** Seed of evictions at random; 0: none. */
  evictSeed: u32 = 0;
  /** 0: no allocation fails on purpose. */
  failAllocation: u32 = 0;
  /** Kernel address of init's path. */
  initPath: usize = 0;
  /** Where init's arguments begin in the line; the address of a NUL if there are none. */
  initArguments: usize = 0;
}

export const bootOptions: BootOptions = changetype<BootOptions>(memory.data(32));
const initPath: usize = memory.data(256);

function setFork(value: usize, bytes: u32): bool {
  if (spanEquals(value, bytes, cstr("copy"))) bootOptions.forkMode = ForkMode.Copy;
  else if (spanEquals(value, bytes, cstr("share"))) bootOptions.forkMode = ForkMode.Share;
  else if (spanEquals(value, bytes, cstr("auto"))) bootOptions.forkMode = ForkMode.Auto;
  else return false;
  return true;
}

function setInit(value: usize, bytes: u32): bool {
  if (bytes == 0 || bytes >= INIT_PATH_BYTES) return false;
  memory.copy(initPath, value, bytes);
  store<u8>(initPath + bytes, 0);
  return true;
}

/** 1 for on, 0 for off, -1 for anything else. */
function onOrOff(value: usize, bytes: u32): i32 {
  if (spanEquals(value, bytes, cstr("on"))) return 1;
  return spanEquals(value, bytes, cstr("off")) ? 0 : -1;
}

function setPoison(value: usize, bytes: u32): bool {
  const on = onOrOff(value, bytes);
  bootOptions.poison = on == 1;
  return on >= 0;
}

function setWriteProtect(value: usize, bytes: u32): bool {
  const on = onOrOff(value, bytes);
  bootOptions.writeProtect = on != 0;
  return on >= 0;
}

function setSwap(value: usize, bytes: u32): bool {
  const on = onOrOff(value, bytes);
  bootOptions.swap = on == 1;
  return on >= 0;
}

function setReclaim(value: usize, bytes: u32): bool {
  const on = onOrOff(value, bytes);
  bootOptions.reclaim = on != 0;
  return on >= 0;
}

function setEvict(value: usize, bytes: u32): bool {
  const number = parseDecimal(value, bytes);
  if (number >= 0) bootOptions.evictSeed = u32(number);
  return number >= 0;
}

function setReverseMap(value: usize, bytes: u32): bool {
  const on = onOrOff(value, bytes);
  bootOptions.reverseMap = on != 0;
  return on >= 0;
}

function setFailAllocation(value: usize, bytes: u32): bool {
  const number = parseDecimal(value, bytes);
  if (number >= 0) bootOptions.failAllocation = u32(number);
  return number >= 0;
}

/** Whether the word from `word` to `end` is in quotes, which do not belong to it. */
export function isQuoted(word: usize, end: usize): bool {
  return load<u8>(word) == QUOTE && end - word > 1 && load<u8>(end - 1) == QUOTE;
}

/** The keys. Whether the word was understood. */
function applySetting(key: usize, keyBytes: u32, value: usize, bytes: u32): bool {
  if (spanEquals(key, keyBytes, cstr("fork"))) return setFork(value, bytes);
  if (spanEquals(key, keyBytes, cstr("init"))) return setInit(value, bytes);
  if (spanEquals(key, keyBytes, cstr("poison"))) return setPoison(value, bytes);
  if (spanEquals(key, keyBytes, cstr("failalloc"))) return setFailAllocation(value, bytes);
  if (spanEquals(key, keyBytes, cstr("wp"))) return setWriteProtect(value, bytes);
  if (spanEquals(key, keyBytes, cstr("rmap"))) return setReverseMap(value, bytes);
  if (spanEquals(key, keyBytes, cstr("swap"))) return setSwap(value, bytes);
  if (spanEquals(key, keyBytes, cstr("reclaim"))) return setReclaim(value, bytes);
  if (spanEquals(key, keyBytes, cstr("evict"))) return setEvict(value, bytes);
  return false;
}

/** First byte of the next word at or after `text`. */
export function skipBlanks(text: usize): usize {
  let p = text;
  while (load<u8>(p) == BLANK) p++;
  return p;
}

/** First byte after the word at `text`; if that begins with a quote, after the closing one. */
export function wordEnd(text: usize): usize {
  let p = text;
  if (load<u8>(p) == QUOTE) {
    p++;
    while (load<u8>(p) != 0 && load<u8>(p) != QUOTE) p++;
    if (load<u8>(p) == QUOTE) p++;
    return p;
  }
  while (load<u8>(p) != 0 && load<u8>(p) != BLANK) p++;
  return p;
}

function findEquals(word: usize, end: usize): usize {
  let p = word;
  while (p < end && load<u8>(p) != EQUALS) p++;
  return p;
}

/** Fills bootOptions from a NUL-terminated kernel string, which stays where it is. */
export function parseCommandLine(line: usize): void {
  bootOptions.forkMode = DEFAULT_FORK_MODE;
  bootOptions.writeProtect = true;
  bootOptions.reverseMap = true;
  bootOptions.reclaim = true;
  bootOptions.initPath = initPath;
  setInit(cstr("/bin/init"), 9);
  let word = skipBlanks(line);
  const first = word;
  while (load<u8>(word) != 0) {
    const end = wordEnd(word);
    const bytes = end - word;
    if (spanEquals(word, bytes, cstr("--"))) {
      bootOptions.initArguments = skipBlanks(end);
      return;
    }
    const equals = findEquals(word, end);
    if (equals == end) {
      if (spanEquals(word, bytes, cstr("quiet"))) bootOptions.quiet = true;
      else if (word != first) reportWord(word, end);
    } else if (!applySetting(word, equals - word, equals + 1, end - equals - 1)) reportWord(word, end);
    word = skipBlanks(end);
  }
  bootOptions.initArguments = word;
}

function reportWord(word: usize, end: usize): void {
  printk(cstr("command line: ignored: "));
  for (let p = word; p < end; p++) printk(cstr("%c"), load<u8>(p));
  printk(cstr("\n"));
}

function forkModeName(mode: ForkMode): usize {
  if (mode == ForkMode.Copy) return cstr("copy");
  return mode == ForkMode.Share ? cstr("share") : cstr("auto");
}

/** Writes the settings as a command line, defaults included: /proc/cmdline. */
export function printSettings(text: TextBuffer): void {
  const fork = forkModeName(bootOptions.forkMode);
  const poison = bootOptions.poison ? cstr("on") : cstr("off");
  if (bootOptions.quiet) print(text, cstr("quiet "), 0);
  const format = cstr("fork=%s init=%s poison=%s failalloc=%u");
  formatText(bufferByte, changetype<usize>(text), format, fork, initPath, poison, bootOptions.failAllocation);
  printSwitch(text, bootOptions.writeProtect, cstr(" wp=off"), true);
  printSwitch(text, bootOptions.reverseMap, cstr(" rmap=off"), true);
  printSwitch(text, bootOptions.swap, cstr(" swap=on"), false);
  printSwitch(text, bootOptions.reclaim, cstr(" reclaim=off"), true);
  if (bootOptions.evictSeed != 0) print(text, cstr(" evict=%u"), bootOptions.evictSeed);
  if (load<u8>(bootOptions.initArguments) != 0) print(text, cstr(" -- %s"), bootOptions.initArguments);
  print(text, cstr("\n"), 0);
}

function print(text: TextBuffer, format: usize, value: u32): void {
  formatText(bufferByte, changetype<usize>(text), format, value, 0, 0, 0);
}

/** A setting that is only shown when it is not as usual. */
function printSwitch(text: TextBuffer, value: bool, shown: usize, usual: bool): void {
  if (value != usual) print(text, shown, 0);
}
