/**
 * reboot(2): the magic numbers that it wants, and the commands that end the run. Linux (include/linux/reboot.h).
 * May import nothing.
 */
export const REBOOT_MAGIC1: u32 = 0xfee1dead;
export const REBOOT_MAGIC2: u32 = 672274793;
export const REBOOT_HALT: u32 = 0xcdef0123;
export const REBOOT_POWER_OFF: u32 = 0x4321fedc;
export const REBOOT_RESTART: u32 = 0x01234567;
