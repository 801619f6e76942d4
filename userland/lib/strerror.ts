/**
 * Error numbers in words. May import kernel/abi. Source: POSIX <errno.h>.
 */
import { Errno } from "../../kernel/abi/errno";
import { cstr } from "../../kernel/abi/intrinsics";

/** What a system call's result -errno says, for people. */
export function errorText(result: i32): usize {
  switch (-result) {
    case Errno.EPERM:
      return cstr("not permitted");
    case Errno.ENOENT:
      return cstr("no such file or directory");
    case Errno.ESRCH:
      return cstr("no such process");
    case Errno.EIO:
      return cstr("input/output error");
    case Errno.E2BIG:
      return cstr("argument list too long");
    case Errno.ENOEXEC:
      return cstr("not a program");
    case Errno.EBADF:
      return cstr("bad file descriptor");
    case Errno.ECHILD:
      return cstr("no child process");
    case Errno.EAGAIN:
      return cstr("no room for another process");
    case Errno.ENOMEM:
      return cstr("out of memory");
    case Errno.EACCES:
      return cstr("permission denied");
    case Errno.EFAULT:
      return cstr("bad address");
    case Errno.ENOTBLK:
      return cstr("not a disk");
    case Errno.EBUSY:
      return cstr("busy");
    case Errno.EEXIST:
      return cstr("file exists");
    case Errno.ENODEV:
      return cstr("no such device");
    case Errno.ENOTDIR:
      return cstr("not a directory");
    case Errno.EISDIR:
      return cstr("is a directory");
    case Errno.EINVAL:
      return cstr("invalid argument");
    case Errno.ENFILE:
    case Errno.EMFILE:
      return cstr("too many open files");
    case Errno.EFBIG:
      return cstr("file too large");
    case Errno.ENOSPC:
      return cstr("no space left");
    case Errno.EROFS:
      return cstr("read-only file system");
    case Errno.EPIPE:
      return cstr("broken pipe");
    case Errno.ENAMETOOLONG:
      return cstr("name too long");
    case Errno.ENOSYS:
      return cstr("no such system call");
    case Errno.ENOTEMPTY:
      return cstr("directory not empty");
    default:
      return cstr("unknown error");
  }
}
