/**
 * Running commands: a pipeline's processes, their descriptors, and waiting for them. May import lib, lexer, variables and
 * builtins. Source: POSIX Shell Command Language, 2.7 and 2.9.
 *
 * A pipeline is collected whole (its words, redirections and where each command begins), then run: a single built-in
 * command in the shell itself, everything else in children.
 */

import { OldSigaction } from "../../../kernel/abi/structs";
import {
  argument,
  close,
  complain,
  cstr,
  dup2,
  Errno,
  environmentValue,
  errorText,
  execve,
  exit,
  fork,
  O_APPEND,
  O_CREAT,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  open,
  parseDec,
  pipe,
  SIG_DFL,
  SIG_IGN,
  Signal,
  sigaction,
  stpcpy,
  strchr,
  strlcpy,
  strlen,
  waitpid,
  wExitStatus,
  wifExited,
  wTermSig,
} from "../../lib/index";
import { builtin } from "./builtins";
import { setLastBackground, Token } from "./lexer";
import { assign, exportWord, makeEnvironment } from "./variables";

const WORDS: i32 = 256;
const COMMANDS: i32 = 16;
const REDIRECTIONS: i32 = 32;
const PATH_BYTES: i32 = 256;

/** Words of all commands, a 0 after each command's last. */
const words: usize = memory.data(256 * 4, 4);
/** Index of each command's first word. */
const starts: usize = memory.data(16 * 4, 4);

/** One redirection of a command. */
@unmanaged
class Redirection {
  command: i32 = 0;
  token: Token = Token.End;
  fd: i32 = 0;
  path: usize = 0;
}
const redirections: usize = memory.data(32 * 16, 4);
const scriptArguments: usize = memory.data(258 * 4, 4);
const path: usize = memory.data(256);
const ends: usize = memory.data(8, 4);
const pids: usize = memory.data(16 * 4, 4);
const statusWord: usize = memory.data(4, 4);
const disposition: usize = memory.data(16, 4);

let wordCount: i32 = 0;
let commandCount: i32 = 0;
let redirectionCount: i32 = 0;

/** Begins to collect a pipeline. */
export function pipelineBegin(): void {
  wordCount = 0;
  commandCount = 1;
  redirectionCount = 0;
  store<i32>(starts, 0);
}

/** Whether the command being collected has nothing yet. */
export function commandIsEmpty(): bool {
  if (argument(starts, commandCount - 1) != usize(wordCount)) return false;
  return redirectionCount == 0 || redirection(redirectionCount - 1).command != commandCount - 1;
}

/** Adds a word to the command. False when there is no room. */
export function addWord(word: usize): bool {
  if (wordCount + COMMANDS >= WORDS) return false;
  store<usize>(words + wordCount++ * 4, word);
  return true;
}

/** The command is complete, and another begins after a `|`. False when there is no room. */
export function addCommand(): bool {
  if (commandCount == COMMANDS) return false;
  store<usize>(words + wordCount++ * 4, 0);
  store<i32>(starts + commandCount++ * 4, wordCount);
  return true;
}

function redirection(index: i32): Redirection {
  return changetype<Redirection>(redirections + index * 16);
}

/** Adds a redirection to the command. False when there is no room. */
export function addRedirection(token: Token, fd: i32, target: usize): bool {
  if (redirectionCount == REDIRECTIONS) return false;
  const added = redirection(redirectionCount++);
  added.command = commandCount - 1;
  added.token = token;
  added.fd = fd;
  added.path = target;
  return true;
}

/** What the signal does to this process from now on: SIG_DFL or SIG_IGN. */
export function setSignal(signal: Signal, handler: u32): void {
  const action = changetype<OldSigaction>(disposition);
  action.handler = handler;
  sigaction(signal, disposition, 0);
}

/** Opens a command's redirections in the process that is to run it. False, having said why, when one fails. */
function redirect(command: i32): bool {
  for (let i = 0; i < redirectionCount; i++) {
    const wanted = redirection(i);
    if (wanted.command != command) continue;
    let result: i32 = 0;
    if (wanted.token == Token.Duplicate) {
      result = dup2(parseDec(wanted.path), wanted.fd);
    } else {
      let flags = O_RDONLY;
      if (wanted.token == Token.Output) flags = O_WRONLY | O_CREAT | O_TRUNC;
      if (wanted.token == Token.Append) flags = O_WRONLY | O_CREAT | O_APPEND;
      result = open(wanted.path, flags, 0o666);
      if (result >= 0 && result != wanted.fd) {
        const opened = result;
        result = dup2(opened, wanted.fd);
        close(opened);
      }
    }
    if (result < 0) {
      complain(wanted.path, errorText(result));
      return false;
    }
  }
  return true;
}

/** Index of the command's first word that is no assignment. */
function skipAssignments(vector: usize, inChild: bool): i32 {
  let i: i32 = 0;
  while (argument(vector, i) != 0 && (inChild ? exportAssignment(argument(vector, i)) : assign(argument(vector, i))))
    i++;
  return i;
}

function exportAssignment(word: usize): bool {
  return strchr(word, 0x3d) != 0 && exportWord(word);
}

/** Tries to become the program at `file`; a text file is a script for the shell. Returns -errno. */
function become(file: usize, vector: usize, environment: usize): i32 {
  const result = execve(file, vector, environment);
  if (result != -Errno.ENOEXEC) return result;
  store<usize>(scriptArguments, cstr("/bin/sh"));
  store<usize>(scriptArguments + 4, file);
  let i: i32 = 0;
  do {
    i++;
    store<usize>(scriptArguments + 4 + i * 4, argument(vector, i));
  } while (argument(vector, i) != 0);
  return execve(cstr("/bin/sh"), scriptArguments, environment);
}

/** Runs a command in this process, which ends with it. */
function runAndExit(command: i32): void {
  if (!redirect(command)) exit(1);
  let vector = words + argument(starts, command) * 4;
  vector += skipAssignments(vector, true) * 4;
  const name = argument(vector, 0);
  if (name == 0) exit(0);
  const status = builtin(vector);
  if (status >= 0) exit(status);

  const environment = makeEnvironment();
  let result: i32 = -Errno.ENOENT;
  if (strchr(name, 0x2f) != 0) {
    result = become(name, vector, environment);
  } else {
    let directory = environmentValue(environment, cstr("PATH"));
    if (directory == 0) directory = cstr("/bin");
    while (result == -Errno.ENOENT && load<u8>(directory) != 0) {
      const colon = strchr(directory, 0x3a);
      const length = colon != 0 ? i32(colon - directory) : strlen(directory);
      if (length + strlen(name) + 2 <= PATH_BYTES) {
        strlcpy(path, directory, length + 1);
        store<u8>(path + length, 0x2f);
        stpcpy(path + length + 1, name);
        result = become(path, vector, environment);
      }
      directory += length + i32(colon != 0);
    }
  }
  complain(name, result == -Errno.ENOENT ? cstr("not found") : errorText(result));
  exit(result == -Errno.ENOENT ? 127 : 126);
}

/** A shell's status for a wait status. */
export function shellStatus(status: u32): i32 {
  return wifExited(status) ? wExitStatus(status) : 128 + wTermSig(status);
}

/** Waits for `pid` and says so if a signal killed it: its shell status. */
function waitForeground(pid: i32): i32 {
  if (waitpid(pid, statusWord) != pid) return 127;
  const status = load<u32>(statusWord);
  const signal: u32 = wTermSig(status);
  if (signal == Signal.SIGSEGV) complain(cstr("sh"), cstr("segmentation fault"));
  else if (signal == Signal.SIGKILL) complain(cstr("sh"), cstr("killed"));
  else if (signal == Signal.SIGTERM) complain(cstr("sh"), cstr("terminated"));
  return shellStatus(status);
}

/** Runs a single command in the shell itself when it is an assignment or built in: its status, else -1. */
function runInShell(): i32 {
  if (commandCount != 1 || redirectionCount != 0) return -1;
  let named: i32 = 0;
  while (argument(words, named) != 0 && strchr(argument(words, named), 0x3d) != 0) named++;
  if (argument(words, named) != 0) return builtin(words);
  return argument(words, skipAssignments(words, false)) == 0 ? 0 : -1;
}

/** Runs the pipeline that was collected: the status of its last command; 0 at once for one in the background. */
export function runPipeline(background: bool): i32 {
  store<usize>(words + wordCount * 4, 0);
  if (!background) {
    const status = runInShell();
    if (status >= 0) return status;
  }
  let input: i32 = -1;
  let started: i32 = 0;
  let result: i32 = 0;
  while (started < commandCount && result >= 0) {
    const isLast = started == commandCount - 1;
    if (!isLast) result = pipe(ends);
    if (result >= 0) result = fork();
    if (result == 0) {
      if (!background) setSignal(Signal.SIGINT, SIG_DFL);
      if (input >= 0) {
        dup2(input, 0);
        close(input);
      }
      if (!isLast) {
        dup2(argument(ends, 1), 1);
        close(argument(ends, 0));
        close(argument(ends, 1));
      }
      runAndExit(started);
    }
    if (input >= 0) close(input);
    if (!isLast) {
      close(argument(ends, 1));
      input = argument(ends, 0);
    }
    if (result > 0) store<i32>(pids + started++ * 4, result);
  }
  if (result < 0) {
    if (input >= 0) close(input);
    complain(cstr("sh"), errorText(result));
  }
  if (background) {
    setLastBackground(started == 0 ? 0 : argument(pids, started - 1));
    return result < 0 ? 1 : 0;
  }
  let status: i32 = 1;
  for (let i = 0; i < started; i++) status = waitForeground(argument(pids, i));
  return result < 0 ? 1 : status;
}

/** The interactive shell outlives Ctrl-C; what it starts in the foreground does not. */
export function ignoreInterrupt(): void {
  setSignal(Signal.SIGINT, SIG_IGN);
}
