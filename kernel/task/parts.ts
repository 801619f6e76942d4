/**
 * The parts of a task that clone can make one for parent and child: open files (CLONE_FILES), working directory and mode mask (CLONE_FS),
 * the actions of signals (CLONE_SIGHAND). Every task has room for its own in its block, so that fork takes no memory for them. Those who
 * share one use a block beside, which the first sharing takes, and the last to leave gives back: `users` counts the tasks, and
 * nobody depends on how long another's block lives.
 * exec and exit leave what is shared; neither takes memory. May import tasks, descriptors, inodes, kmalloc.
 * Source: Linux 2.4 (kernel/fork.c, copy_files, copy_fs, copy_sighand; fs/exec.c, make_private_signals, unshare_files).
 */
import { CLONE_FILES, CLONE_FS, CLONE_SIGHAND } from "../abi/clone";
import { descriptorsClose, descriptorsCopy, FILE_TABLE_BYTES, FileTable } from "../fs/fdtable";
import { inodeGet, inodePut } from "../fs/inode";
import { kfree, kmalloc } from "../mm/kmalloc";
import { SIGNAL_ACTIONS_BYTES, SignalActions } from "./sigtable";
import { FsState, Task } from "./task";

/** What each part begins with. */
@unmanaged
class Part {
  users: u32 = 0;
}

/** The part at `used`, `bytes` long, for one more task; moved out of its task's block if it lies there, at `own`. 0: no memory. */
function share(used: usize, own: usize, bytes: u32): usize {
  let shared = used;
  if (used == own) {
    shared = kmalloc(bytes);
    if (shared == 0) return 0;
    memory.copy(shared, own, bytes);
    changetype<Part>(shared).users = 1;
  }
  changetype<Part>(shared).users++;
  return shared;
}

/** One task less uses the shared part at `address`. Whether it was the last: then the part is the caller's to free. */
function isLast(address: usize): bool {
  const part = changetype<Part>(address);
  part.users--;
  return part.users == 0;
}

/** Gives a new task its parts: its parent's where `flags` say so, else copies. False: no memory; then it has some, for leaveParts. */
export function inheritParts(child: Task, parent: Task, flags: u32): bool {
  if ((flags & CLONE_FILES) != 0) {
    const shared = share(changetype<usize>(parent.files), changetype<usize>(parent.ownFiles), FILE_TABLE_BYTES);
    if (shared == 0) return false;
    parent.files = changetype<FileTable>(shared);
    child.files = parent.files;
  } else {
    descriptorsCopy(child.files, parent.files);
  }
  if ((flags & CLONE_FS) != 0) {
    const shared = share(changetype<usize>(parent.fs), changetype<usize>(parent.ownFs), offsetof<FsState>());
    if (shared == 0) return false;
    parent.fs = changetype<FsState>(shared);
    child.fs = parent.fs;
  } else {
    child.fs.modeMask = parent.fs.modeMask;
    child.fs.directory = inodeGet(parent.fs.directory!);
  }
  if ((flags & CLONE_SIGHAND) != 0) {
    const shared = share(changetype<usize>(parent.actions), changetype<usize>(parent.ownActions), SIGNAL_ACTIONS_BYTES);
    if (shared == 0) return false;
    parent.actions = changetype<SignalActions>(shared);
    child.actions = parent.actions;
  } else {
    child.actions.copy(parent.actions);
  }
  return true;
}

/** exit, or a clone that failed: the task gives up its parts, and closes what nobody else uses. It must not look at them again. */
export function leaveParts(task: Task): void {
  const files = changetype<usize>(task.files);
  if (task.files === task.ownFiles) {
    descriptorsClose(task.files);
  } else if (isLast(files)) {
    descriptorsClose(task.files);
    kfree(files);
  }
  task.files = task.ownFiles;
  const fs = changetype<usize>(task.fs);
  const directory = task.fs.directory;
  if (task.fs === task.ownFs) {
    if (directory !== null) inodePut(directory);
  } else if (isLast(fs)) {
    if (directory !== null) inodePut(directory);
    kfree(fs);
  }
  task.fs = task.ownFs;
  leaveActions(task);
}

/** exec: the task has descriptors of its own, and actions of its own without handlers. Where it is in the tree stays shared. */
export function ownParts(task: Task): void {
  const own = task.ownFiles;
  const shared = task.files;
  if (shared !== own) {
    memory.fill(changetype<usize>(own), 0, FILE_TABLE_BYTES);
    descriptorsCopy(own, shared);
    task.files = own;
    if (isLast(changetype<usize>(shared))) {
      descriptorsClose(shared);
      kfree(changetype<usize>(shared));
    }
  }
  const ignored = task.actions.ignored;
  leaveActions(task);
  task.actions.ignored = ignored;
  task.actions.caught = 0;
}

function leaveActions(task: Task): void {
  const actions = changetype<usize>(task.actions);
  if (task.actions !== task.ownActions && isLast(actions)) kfree(actions);
  task.actions = task.ownActions;
}
