/**
 * sh [-c COMMANDS [NAME ARGUMENTS...] | FILE [ARGUMENTS...]]: a small shell. Commands come from the console, with a prompt,
 * from -c, from a file, or from standard input. Pipelines, < > >> 2> 2>&1, &, ;, &&, ||, quotes, variables, comments; no
 * control structures. May import lib, shell/ and kernel/abi.
 */
import { TCGETS } from "../../kernel/abi/termios";
import {
  argument,
  complain,
  cstr,
  errorText,
  flush,
  ioctl,
  malloc,
  print,
  printError,
  read,
  readFile,
  streq,
  WNOHANG,
  waitpid,
} from "../lib/index";
import {
  lastStatus,
  next,
  redirectionFd,
  resetWords,
  setLastStatus,
  setParameters,
  setText,
  Token,
  tokenText,
  tokenWord,
} from "./shell/lexer";
import {
  addCommand,
  addRedirection,
  addWord,
  commandIsEmpty,
  ignoreInterrupt,
  pipelineBegin,
  runPipeline,
} from "./shell/run";
import { importEnvironment } from "./shell/variables";

/** A line from the console, and the size of the largest script, in bytes. */
const LINE_BYTES: i32 = 4096;
const SCRIPT_BYTES: i32 = 65536;
const USAGE_STATUS: i32 = 2;

const line: usize = memory.data(4096);
const terminal: usize = memory.data(64);
const statusWord: usize = memory.data(4, 4);

function unexpected(token: Token): Token {
  printError(cstr("sh: unexpected "));
  printError(tokenText(token));
  printError(cstr("\n"));
  setLastStatus(USAGE_STATUS);
  return Token.Error;
}

function tooLong(): Token {
  complain(cstr("sh"), cstr("too many words"));
  setLastStatus(USAGE_STATUS);
  return Token.Error;
}

/** Collects one pipeline; the token that ended it, Token.Error when it makes no sense (and it has been said). */
function collect(): Token {
  resetWords();
  pipelineBegin();
  while (true) {
    const token = next();
    switch (token) {
      case Token.Word:
        if (!addWord(tokenWord)) return tooLong();
        break;
      case Token.Input:
      case Token.Output:
      case Token.Append:
      case Token.Duplicate: {
        const fd = redirectionFd;
        const target = next();
        if (target != Token.Word) return unexpected(target);
        if (!addRedirection(token, fd, tokenWord)) return tooLong();
        break;
      }
      case Token.Pipe:
        if (commandIsEmpty()) return unexpected(token);
        if (!addCommand()) return tooLong();
        break;
      case Token.Error:
        return unexpected(token);
      default:
        return token;
    }
  }
}

/** Runs all commands in `text`; what follows a mistake is not run. */
function runText(text: usize): void {
  setText(text);
  /** The operator before the pipeline. */
  let before = Token.Newline;
  let token = Token.Newline;
  while (token != Token.End) {
    token = collect();
    if (token == Token.Error) return;
    if (commandIsEmpty()) {
      if (token != Token.Newline && token != Token.End) {
        unexpected(token);
        return;
      }
      continue;
    }
    const skipped = (before == Token.And && lastStatus != 0) || (before == Token.Or && lastStatus == 0);
    if (!skipped) setLastStatus(runPipeline(token == Token.Background));
    before = token;
  }
}

/** Reads one line of standard input, byte by byte, so that commands find the rest. False at the end of the input. */
function readLine(): bool {
  let length: i32 = 0;
  while (length < LINE_BYTES - 1) {
    const got = read(0, line + length, 1);
    if (got <= 0 && length == 0) return false;
    if (got <= 0 || load<u8>(line + length) == 0x0a) break;
    length++;
  }
  store<u8>(line + length, 0);
  return true;
}

/** Takes the exit statuses of background processes that have ended. */
function reapBackground(): void {
  while (waitpid(-1, statusWord, WNOHANG) > 0) {}
}

function interact(): i32 {
  const isConsole = ioctl(0, TCGETS, terminal) == 0;
  if (isConsole) ignoreInterrupt();
  while (true) {
    if (isConsole) reapBackground();
    if (isConsole) print(cstr("$ "));
    flush();
    if (!readLine()) break;
    runText(line);
  }
  if (isConsole) print(cstr("\n"));
  return lastStatus;
}

export function main(argc: i32, argv: usize, envp: usize): i32 {
  importEnvironment(envp);
  setParameters(argv, 1);
  if (argc < 2) return interact();
  const operand = argument(argv, 1);
  if (streq(operand, cstr("-c"))) {
    if (argc < 3) {
      complain(cstr("sh"), cstr("-c wants commands"));
      return USAGE_STATUS;
    }
    if (argc > 3) setParameters(argv + 12, argc - 3);
    runText(argument(argv, 2));
    return lastStatus;
  }
  const script = malloc(SCRIPT_BYTES);
  const result = readFile(operand, script, SCRIPT_BYTES);
  if (result < 0) {
    complain(operand, errorText(result));
    return 127;
  }
  setParameters(argv + 4, argc - 1);
  runText(script);
  return lastStatus;
}
