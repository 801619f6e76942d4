/**
 * mm: runs the scripts of the memory-management fuzzer (tests/fuzz/mm.ts). As pid 1 it says where its script belongs, and from
 * there on is copied by the host; then it makes the files and pipes, forks the script's process 0, waits until all are gone and
 * says so. With arguments it is a process that has called exec. May import this folder, lib.
 */
import { readEsp } from "../../kernel/abi/intrinsics";
import {
  argument,
  brk,
  close,
  cstr,
  execve,
  exit,
  fork,
  ftruncate,
  isError,
  MAP_ANONYMOUS,
  madvise,
  mlock,
  mlockall,
  mmap,
  mprotect,
  mremap,
  msync,
  munlock,
  munlockall,
  munmap,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  open,
  PAGE_SIZE,
  pipe,
  read,
  unlink,
  vfork,
  waitpid,
  write,
} from "../lib/index";
import { Descriptor, Keep, OnFault, Op, Say, Script, Zone } from "./format";
import { copyBytes, fillBytes, readWords, writeWords } from "./memory";
import {
  addressOf,
  becomeProcess,
  beginOperation,
  catchUserSignal,
  currentOperation,
  fold,
  listOf,
  processNumber,
  resultAddress,
  say,
  script,
  setBases,
  setOnFault,
  setResult,
  spare,
} from "./process";
import {
  fileRead,
  fileWrite,
  hang,
  killChild,
  noteChild,
  receive,
  reclaim,
  send,
  takeSignal,
  wait,
  writeName,
} from "./transfer";

/** Where exec's state is kept as text: process and word of the next operation, each a letter for every four bits. */
const state: usize = memory.data(8, 4);
const STATE_LETTERS: u32 = 5;
const vector: usize = memory.data(16, 4);

/** Argument `number`, from 1, of an operation. */
function arg(operation: usize, number: u32): u32 {
  return load<u32>(operation + (number << 2));
}

function place(operation: usize, number: u32): usize {
  return addressOf(arg(operation, number));
}

/** Says a result that is an address or -errno, and keeps it if that is wanted. */
function keep(result: usize, how: u32): void {
  say(result);
  if (how == Keep.Result) setResult(isError(result) ? Zone.Private : result);
}

function map(operation: usize): void {
  const file = arg(operation, 5);
  const flags = arg(operation, 4) | (file == 0 ? MAP_ANONYMOUS : 0);
  const descriptor = i32(Descriptor.First + file) - 1;
  const where = place(operation, 1);
  const result = mmap(where, arg(operation, 2), arg(operation, 3), flags, descriptor, arg(operation, 6));
  keep(result, arg(operation, 7));
}

function remap(operation: usize): void {
  const result = mremap(
    place(operation, 1),
    arg(operation, 2),
    arg(operation, 3),
    arg(operation, 4),
    place(operation, 5),
  );
  keep(result, arg(operation, 6));
}

function forkProcess(number: u32): void {
  const pid = fork();
  if (pid == 0) {
    runProcess(number);
  } else {
    noteChild(number, pid);
    say(pid < 0 ? pid : 0);
  }
}

/** The child's part of vfork; it uses this process's variables, too. */
function vforkChild(number: usize): i32 {
  runProcess(number);
  return 0;
}

function vforkProcess(number: u32): void {
  const own = processNumber();
  const operation = currentOperation();
  const result = resultAddress();
  const pid = vfork(vforkChild, number);
  becomeProcess(own, operation);
  setResult(result);
  noteChild(number, pid);
  say(pid < 0 ? pid : 0);
}

/** exec of this program with the string at an address as its last argument; `next` is the operation to go on with. */
function execSelf(text: usize, next: usize): void {
  const value = (processNumber() << 16) | u32((next - script) >> 2);
  for (let i: u32 = 0; i < STATE_LETTERS; i++) store<u8>(state + i, 0x41 + ((value >> (4 * i)) & 15));
  store<usize>(vector, cstr("mm"));
  store<usize>(vector + 4, state);
  store<usize>(vector + 8, text);
  say(execve(cstr("/bin/mm"), vector, vector + 12));
}

/** One operation. Exit does not return. */
function runOperation(operation: usize, next: usize): void {
  switch (load<u32>(operation) & 0xff) {
    case Op.Exit:
      say(arg(operation, 1));
      exit(arg(operation, 1));
      break;
    case Op.Fork:
      forkProcess(arg(operation, 1));
      break;
    case Op.Wait:
      wait(arg(operation, 1), arg(operation, 2));
      break;
    case Op.Send:
      send(arg(operation, 1), arg(operation, 2), arg(operation, 3));
      break;
    case Op.Receive:
      receive(arg(operation, 1), arg(operation, 2), arg(operation, 3));
      break;
    case Op.Write:
      writeWords(place(operation, 1), arg(operation, 2), arg(operation, 3), arg(operation, 4));
      break;
    case Op.Read:
      readWords(place(operation, 1), arg(operation, 2), arg(operation, 3));
      break;
    case Op.Copy:
      copyBytes(place(operation, 1), place(operation, 2), arg(operation, 3));
      break;
    case Op.Fill:
      fillBytes(place(operation, 1), arg(operation, 2), arg(operation, 3));
      break;
    case Op.Mmap:
      map(operation);
      break;
    case Op.Munmap:
      say(munmap(place(operation, 1), arg(operation, 2)));
      break;
    case Op.Mprotect:
      say(mprotect(place(operation, 1), arg(operation, 2), arg(operation, 3)));
      break;
    case Op.Mremap:
      remap(operation);
      break;
    case Op.Madvise:
      say(madvise(place(operation, 1), arg(operation, 2), arg(operation, 3)));
      break;
    case Op.Mlock:
      say(mlock(place(operation, 1), arg(operation, 2)));
      break;
    case Op.Munlock:
      say(munlock(place(operation, 1), arg(operation, 2)));
      break;
    case Op.Mlockall:
      say(mlockall(1));
      break;
    case Op.Munlockall:
      say(munlockall());
      break;
    case Op.Msync:
      say(msync(place(operation, 1), arg(operation, 2), arg(operation, 3)));
      break;
    case Op.Brk:
      say(brk(place(operation, 1)));
      break;
    case Op.FileRead:
      fileRead(arg(operation, 1), arg(operation, 2), arg(operation, 3), arg(operation, 4));
      break;
    case Op.FileWrite:
      fileWrite(arg(operation, 1), arg(operation, 2), arg(operation, 3), arg(operation, 4));
      break;
    case Op.Truncate:
      say(ftruncate(i32(Descriptor.First + arg(operation, 1)), arg(operation, 2)));
      break;
    case Op.Signal:
      takeSignal(arg(operation, 1));
      break;
    case Op.Handle:
      setOnFault(arg(operation, 1) as OnFault);
      say(arg(operation, 1));
      break;
    case Op.Exec:
      execSelf(place(operation, 1), next);
      break;
    case Op.Hang:
      hang(arg(operation, 1), arg(operation, 2));
      break;
    case Op.Kill:
      killChild(arg(operation, 1), arg(operation, 2));
      break;
    case Op.Vfork:
      vforkProcess(arg(operation, 1));
      break;
    case Op.Reclaim:
      reclaim(arg(operation, 1));
      break;
    default:
      writeName(arg(operation, 1), arg(operation, 2));
  }
}

/** Runs operations from one on. Each list ends in Exit, so it does not return. */
function runFrom(first: usize): void {
  let operation = first;
  while (true) {
    const next = operation + ((load<u32>(operation) >> 8) << 2);
    beginOperation(operation);
    runOperation(operation, next);
    operation = next;
  }
}

function runProcess(number: u32): void {
  becomeProcess(number, listOf(number));
  say(0);
  runFrom(listOf(number));
}

function prepare(): void {
  const page = ~(PAGE_SIZE - 1);
  setBases((brk(0) + PAGE_SIZE - 1) & page, readEsp() & page);
  setOnFault(OnFault.Mend);
  catchUserSignal();
}

/** After exec: the script comes from the file that pid 1 has written. */
function goOn(argv: usize): void {
  let value: u32 = 0;
  for (let i: u32 = 0; i < STATE_LETTERS; i++) value |= (u32(load<u8>(argument(argv, 1) + i)) - 0x41) << (4 * i);
  const file = open(cstr("/script"), O_RDONLY);
  read(file, script, Script.Room);
  close(file);
  const first = script + ((value & 0xffff) << 2);
  becomeProcess(value >> 16, first);
  let hash: u32 = 0;
  for (let text = argument(argv, 2); load<u8>(text) != 0; text++) hash = fold(hash, load<u8>(text));
  say(hash);
  runFrom(first);
}

/** Files, pipes, and the script for those that call exec. */
function makeFiles(): void {
  if (load<u32>(script + (Script.Files << 2)) > 0) open(cstr("/a"), O_RDWR | O_CREAT, 0o600);
  if (load<u32>(script + (Script.Files << 2)) > 1) open(cstr("/b"), O_RDWR | O_CREAT, 0o600);
  for (let i: u32 = 0; i < load<u32>(script + (Script.Pipes << 2)); i++) pipe(spare);
  const file = open(cstr("/script"), O_RDWR | O_CREAT, 0o600);
  write(file, script, load<u32>(script + (Script.Bytes << 2)));
  close(file);
}

function removeFiles(): void {
  const descriptors = load<u32>(script + (Script.Files << 2)) + 2 * load<u32>(script + (Script.Pipes << 2));
  for (let i: u32 = 0; i < descriptors; i++) close(i32(Descriptor.First + i));
  unlink(cstr("/a"));
  unlink(cstr("/b"));
  unlink(cstr("/script"));
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  prepare();
  if (argc == 3) goOn(argv);
  // Whatever this process will use is present before the host copies it.
  memory.fill(script, 1, Script.Room);
  memory.fill(spare, 1, 1024);
  becomeProcess(Say.Supervisor, script);
  say(script);
  makeFiles();
  if (fork() == 0) runProcess(0);
  while (waitpid(-1, spare) > 0) {}
  removeFiles();
  say(1);
  return 0;
}
