/**
 * Pid 1: made by hand, since there is nothing to fork. Imports tasks, exec, the console's node.
 */

import { O_RDWR } from "../abi/fcntl";
import { cstr } from "../abi/intrinsics";
import { newContext } from "../arch/i386/context";
import { descriptorAssign, descriptorSet } from "../fs/fdtable";
import { File, fileGet } from "../fs/file";
import { inodeGet } from "../fs/inode";
import { openPath } from "../fs/open";
import { rootDirectory } from "../fs/ramfs";
import { BootOptions, isQuoted, skipBlanks, wordEnd } from "../lib/cmdline";
import { isError } from "../lib/errptr";
import { panic } from "../lib/panic";
import { printk } from "../lib/printk";
import { mmActivateKernel } from "../mm/vma";
import { executeProgram } from "./exec";
import { argumentAdd, argumentAddSpan, argumentsBegin, ExecArguments } from "./execargs";
import { startTask } from "./sched";
import { INIT_PID } from "./signal";
import { createTask, idleTask, setCurrentTask, Task } from "./task";

const STANDARD_DESCRIPTORS: u32 = 3;

const list: ExecArguments = changetype<ExecArguments>(memory.data(20));

/** Opens the console as descriptors 0, 1 and 2. */
function openConsole(task: Task): void {
  const opened = openPath(cstr("/dev/console"), O_RDWR, 0);
  if (isError(opened)) panic(cstr("no console"));
  const file = changetype<File>(opened);
  descriptorAssign(task.files, 0, file);
  for (let descriptor: u32 = 1; descriptor < STANDARD_DESCRIPTORS; descriptor++) {
    descriptorSet(task.files, descriptor, fileGet(file));
  }
}

/** Path, argv[0] and the words of the command line after `--`. 0 or -errno. */
function collectArguments(options: BootOptions): i32 {
  let result = argumentAdd(list, options.initPath);
  if (result == 0) result = argumentAdd(list, options.initPath);
  list.argc = 1;
  let word = options.initArguments;
  while (result == 0 && load<u8>(word) != 0) {
    const end = wordEnd(word);
    const quotes: u32 = isQuoted(word, end) ? 1 : 0;
    result = argumentAddSpan(list, word + quotes, end - word - 2 * quotes);
    list.argc++;
    word = skipBlanks(end);
  }
  return result;
}

/** Makes pid 1 with the program that the options name, and leaves it ready to run. Panics if that cannot be. */
export function startInit(options: BootOptions): void {
  const task = createTask();
  if (task === null) panic(cstr("no memory for init"));
  else if (task.pid != INIT_PID) panic(cstr("init is not the first task"));
  else {
    task.fs.directory = inodeGet(rootDirectory());
    task.processGroup = task.pid;
    task.session = task.pid;
    setCurrentTask(task);
    openConsole(task);
    argumentsBegin(list);
    let result = collectArguments(options);
    if (result == 0) result = executeProgram(list);
    if (result < 0) {
      printk(cstr("cannot execute %s: error %d\n"), options.initPath, result as u32);
      panic(cstr("no init"));
    }
    task.kernelEsp = newContext(task.stackTop);
    mmActivateKernel();
    setCurrentTask(idleTask());
    startTask(task);
  }
}
