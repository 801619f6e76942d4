/**
 * The state of one process of a fuzzed program: which it is, where it stands in the script, what its addresses are counted from;
 * how it says what it saw; what it does on a fault. May import lib, format.
 */
import { outl } from "../../kernel/abi/intrinsics";
import {
  contextOf,
  defaultSignal,
  exit,
  handle,
  isError,
  MAP_FIXED,
  MAP_PRIVATE,
  MARK_PORT,
  mmapAnonymous,
  mprotect,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  SA_SIGINFO,
  SEGV_ACCERR,
  Siginfo,
  Signal,
} from "../lib/index";
import { Base, Gone, OnFault, Say, Script, Zone } from "./format";

/** The script; the host puts it here. */
export const script: usize = memory.data(8192, 4096);
/** Bytes that are not under test, for what has no other place. */
export const spare: usize = memory.data(1024, 4);
const bases: usize = memory.data(32, 4);

/** Faults that a process mends before it gives up. */
const MOST_FAULTS: u32 = 48;
/** No page from here on is mended. */
const END: usize = 0xc0000000;

let process: u32 = Say.Supervisor;
let faults: u32 = 0;
let onFault: OnFault = OnFault.Mend;
/** SIGUSR1s taken. */
let taken: u32 = 0;
/** Address of the operation that runs. */
let current: usize = 0;

/** Goes on as a process from an operation. */
export function becomeProcess(number: u32, operation: usize): void {
  process = number;
  current = operation;
}

/** Moves on to an operation. */
export function beginOperation(operation: usize): void {
  current = operation;
}

export function processNumber(): u32 {
  return process;
}

export function currentOperation(): usize {
  return current;
}

/** Where the list of a process begins. */
export function listOf(number: u32): usize {
  return script + (load<u32>(script + ((Script.Lists + number) << 2)) << 2);
}

/** One more value into a hash. */
export function fold(hash: u32, value: u32): u32 {
  return rotl<u32>((hash ^ value) * 0x9e3779b1, 13);
}

/** Tells the host a value. */
export function say(value: u32): void {
  const index = (current - script) >> 2;
  outl(MARK_PORT, ((Say.Low | process) << 24) | (value & 0xffffff));
  outl(MARK_PORT, ((Say.High | process) << 24) | ((value >> 24) << 16) | index);
}

/** Sets what addresses are counted from; `stack` and `heap` are page-aligned. */
export function setBases(heap: usize, stack: usize): void {
  store<u32>(bases + (Base.Private << 2), Zone.Private);
  store<u32>(bases + (Base.Shared << 2), Zone.Shared);
  store<u32>(bases + (Base.FileA << 2), Zone.FileA);
  store<u32>(bases + (Base.FileB << 2), Zone.FileB);
  store<u32>(bases + (Base.Heap << 2), heap);
  store<u32>(bases + (Base.Stack << 2), stack);
  setResult(Zone.Private);
}

/** What Base.Result is from now on. */
export function setResult(address: usize): void {
  store<u32>(bases + (Base.Result << 2), address);
}

/** What Base.Result is. */
export function resultAddress(): usize {
  return load<u32>(bases + (Base.Result << 2));
}

/** The address of a place. */
export function addressOf(place: u32): usize {
  return load<u32>(bases + ((place >> 28) << 2)) + usize(i32(place << 4) >> 4);
}

/**
 * SIGSEGV, SIGBUS: says the address, and ends the process or makes its page accessible. What is left of the signal's frame must
 * not tell ways to fork apart, so the error code goes: whether a page was present when an access was refused, they may decide.
 */
function faulted(signal: i32, info: usize, context: usize): void {
  const told = changetype<Siginfo>(info);
  const address = told.origin;
  contextOf(context).err = 0;
  say(fold(fold(address, signal), told.code));
  if (onFault == OnFault.Leave) exit(Gone.Left);
  faults++;
  if (faults > MOST_FAULTS) exit(Gone.Faults);
  const page = address & ~(PAGE_SIZE - 1);
  if (page < load<u32>(bases + (Base.Heap << 2)) || page >= END) exit(Gone.Address);
  const access = PROT_READ | PROT_WRITE;
  if (told.code == SEGV_ACCERR && signal == Signal.SIGSEGV && mprotect(page, PAGE_SIZE, access) == 0) return;
  if (isError(mmapAnonymous(page, PAGE_SIZE, access, MAP_PRIVATE | MAP_FIXED))) exit(Gone.Memory);
}

/** SIGUSR1. */
function userSignal(_signal: i32, _info: usize, context: usize): void {
  contextOf(context).err = 0;
  taken++;
}

/** What a SIGSEGV or SIGBUS does from now on. */
export function setOnFault(what: OnFault): void {
  onFault = what;
  if (what == OnFault.Die) {
    defaultSignal(Signal.SIGSEGV);
    defaultSignal(Signal.SIGBUS);
  } else {
    handle(Signal.SIGSEGV, faulted, SA_SIGINFO);
    handle(Signal.SIGBUS, faulted, SA_SIGINFO);
  }
}

/** Installs SIGUSR1's handler. */
export function catchUserSignal(): void {
  handle(Signal.SIGUSR1, userSignal, SA_SIGINFO);
}

/** SIGUSR1s taken so far. */
export function signalsTaken(): u32 {
  return taken;
}
