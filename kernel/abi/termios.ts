/**
 * The terminal: ioctl requests and the flags of struct termios that the console honours: Linux i386
 * (include/asm-i386/termbits.h, ioctls.h). May import nothing.
 */
export const TCGETS: u32 = 0x5401;
export const TCSETS: u32 = 0x5402;
export const TCSETSW: u32 = 0x5403;
export const TCSETSF: u32 = 0x5404;
export const TIOCGPGRP: u32 = 0x540f;
export const TIOCSPGRP: u32 = 0x5410;
export const TIOCGWINSZ: u32 = 0x5413;
export const FIONREAD: u32 = 0x541b;

/** c_iflag: CR is read as NL. */
export const ICRNL: u32 = 0x100;
/** c_oflag: output is processed at all; NL is written as CR NL. */
export const OPOST: u32 = 0x01;
export const ONLCR: u32 = 0x04;
/** c_cflag: 38400 baud, eight bits, receiver on. */
export const B38400: u32 = 0x0f;
export const CS8: u32 = 0x30;
export const CREAD: u32 = 0x80;
/** c_lflag: VINTR sends SIGINT; input is a line at a time; typed characters are written back; erase rubs out on the screen. */
export const ISIG: u32 = 0x01;
export const ICANON: u32 = 0x02;
export const ECHO: u32 = 0x08;
export const ECHOE: u32 = 0x10;
export const ECHOK: u32 = 0x20;

/** Indices into c_cc. */
export const enum ControlCharacter {
  VINTR = 0,
  VQUIT = 1,
  VERASE = 2,
  VKILL = 3,
  VEOF = 4,
  VTIME = 5,
  VMIN = 6,
}

/** Number of control characters in the kernel's struct termios. */
export const NCCS: u32 = 19;
