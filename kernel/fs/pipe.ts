/**
 * Pipes: a ring of one page between a file that reads and a file that writes. Readers sleep while it is empty and has a
 * writer, writers while it lacks room and has a reader; a write of up to a page goes in whole. Imports files, the
 * scheduler, user access. Source: POSIX.1-2001 pipe, write; Linux 2.4 (fs/pipe.c).
 */
import { Errno } from "../abi/errno";
import { O_NONBLOCK, O_RDONLY, O_WRONLY, S_IFIFO } from "../abi/fcntl";
import { Signal } from "../abi/signals";
import { isError } from "../lib/errptr";
import { ByteRing, ringHeadAddress, ringHeadSpan, ringInit, ringTailAddress, ringTailSpan } from "../lib/ring";
import { kfree, kmalloc } from "../mm/kmalloc";
import { frameToVirt, PAGE_BYTES, virtToFrame } from "../mm/layout";
import { FrameKind } from "../mm/page";
import { allocFrame, freeFrame } from "../mm/pagealloc";
import { copyFromUser, copyToUser } from "../mm/uaccess";
import { TaskQueue } from "../task/queue";
import { ERESTARTSYS } from "../task/restart";
import { sleepOn, wakeAll } from "../task/sched";
import { sendSignal, signalPending } from "../task/signal";
import { currentTask } from "../task/task";
import { File, filePut, openInode } from "./file";
import { createInode, FILE_OPERATIONS_BYTES, FileOperations, Inode, inodeGet } from "./inode";

/** The inode's `data` is the address of one. It begins with its ring. */
@unmanaged
class Pipe extends ByteRing {
  /** Files open for reading and for writing. */
  readers: u32 = 0;
  writers: u32 = 0;
  /** Two queues of two words: who waits for bytes, who waits for room. */
  readWaitFirst: usize = 0;
  readWaitLast: usize = 0;
  writeWaitFirst: usize = 0;
  writeWaitLast: usize = 0;

  get readWait(): TaskQueue {
    return changetype<TaskQueue>(changetype<usize>(this) + offsetof<Pipe>("readWaitFirst"));
  }

  get writeWait(): TaskQueue {
    return changetype<TaskQueue>(changetype<usize>(this) + offsetof<Pipe>("writeWaitFirst"));
  }
}

/** The two files of a new pipe. */
@unmanaged
export class PipeEnds {
  reader: File = changetype<File>(0);
  writer: File = changetype<File>(0);
}

const pipeOperations: FileOperations = changetype<FileOperations>(memory.data(FILE_OPERATIONS_BYTES));

/** Makes the operations ready. Once, at boot. */
export function pipeInit(): void {
  pipeOperations.open = pipeOpen;
  pipeOperations.read = pipeRead;
  pipeOperations.write = pipeWrite;
  pipeOperations.release = pipeRelease;
  pipeOperations.destroy = pipeDestroy;
}

function pipeOf(file: File): Pipe {
  return changetype<Pipe>(file.inode.data);
}

function createPipeInode(): Inode | null {
  const inode = createInode(S_IFIFO | 0o600, pipeOperations);
  if (inode === null) return null;
  const frame = allocFrame(FrameKind.Kernel);
  const address = kmalloc(offsetof<Pipe>());
  if (frame == 0 || address == 0) {
    if (frame != 0) freeFrame(frame);
    kfree(address);
    kfree(changetype<usize>(inode));
    return null;
  }
  memory.fill(address, 0, offsetof<Pipe>());
  ringInit(changetype<Pipe>(address), frameToVirt(frame), PAGE_BYTES);
  inode.data = address;
  return inode;
}

/** Makes a pipe and both its ends, each with a reference for the caller. 0 or -ENOMEM, and then there is nothing. */
export function createPipe(ends: PipeEnds): i32 {
  const inode = createPipeInode();
  if (inode === null) return -Errno.ENOMEM;
  const reader = openInode(inodeGet(inode), O_RDONLY);
  const writer = openInode(inode, O_WRONLY);
  if (isError(reader) || isError(writer)) {
    if (!isError(reader)) filePut(changetype<File>(reader));
    if (!isError(writer)) filePut(changetype<File>(writer));
    return -Errno.ENOMEM;
  }
  ends.reader = changetype<File>(reader);
  ends.writer = changetype<File>(writer);
  return 0;
}

function pipeOpen(file: File): i32 {
  const pipe = pipeOf(file);
  if (file.readable) pipe.readers++;
  else pipe.writers++;
  return 0;
}

/** Whoever waits for the other side finds out that it may be gone. */
function pipeRelease(file: File): void {
  const pipe = pipeOf(file);
  if (file.readable) pipe.readers--;
  else pipe.writers--;
  wakeAll(pipe.readWait);
  wakeAll(pipe.writeWait);
}

function pipeDestroy(inode: Inode): void {
  const pipe = changetype<Pipe>(inode.data);
  freeFrame(virtToFrame(pipe.storage));
  kfree(inode.data);
}

function pipeRead(file: File, buffer: usize, bytes: u32): i32 {
  const pipe = pipeOf(file);
  if (bytes == 0) return 0;
  while (pipe.used == 0) {
    if (pipe.writers == 0) return 0;
    if ((file.flags & O_NONBLOCK) != 0) return -Errno.EAGAIN;
    if (signalPending(currentTask())) return -ERESTARTSYS;
    sleepOn(pipe.readWait);
  }
  let done: u32 = 0;
  while (done < bytes && pipe.used != 0) {
    const span = ringHeadSpan(pipe, bytes - done);
    const left = copyToUser(buffer + done, ringHeadAddress(pipe), span);
    pipe.head += span - left;
    done += span - left;
    if (left != 0) break;
  }
  if (done == 0) return -Errno.EFAULT;
  wakeAll(pipe.writeWait);
  return i32(done);
}

function pipeWrite(file: File, buffer: usize, bytes: u32): i32 {
  const pipe = pipeOf(file);
  let done: u32 = 0;
  // What fits the pipe must go in whole; what does not goes in as room comes.
  const needed: u32 = bytes <= pipe.capacity ? bytes : 1;
  while (done < bytes) {
    if (pipe.readers == 0) {
      if (done != 0) return i32(done);
      sendSignal(currentTask(), Signal.SIGPIPE);
      return -Errno.EPIPE;
    }
    if (pipe.free < needed) {
      if ((file.flags & O_NONBLOCK) != 0) return done != 0 ? i32(done) : -Errno.EAGAIN;
      if (signalPending(currentTask())) return done != 0 ? i32(done) : -ERESTARTSYS;
      sleepOn(pipe.writeWait);
      continue;
    }
    while (done < bytes && pipe.free != 0) {
      const span = ringTailSpan(pipe, bytes - done);
      const left = copyFromUser(ringTailAddress(pipe), buffer + done, span);
      pipe.tail += span - left;
      done += span - left;
      if (left != 0) {
        wakeAll(pipe.readWait);
        return done != 0 ? i32(done) : -Errno.EFAULT;
      }
    }
    wakeAll(pipe.readWait);
  }
  return i32(done);
}
