/**
 * What gdb is to read when it starts: where the sources are, and a hook. May import tools/compiler/root.
 *
 * Debug information names the tree's root by the same name everywhere; gdb is told where it lies.
 *
 * gdb keeps the registers that it has read until it has itself resumed the target, written to a register or turned to another
 * thread; no answer to `monitor` (qRcmd), and nothing else that a stub may send to a stopped gdb in all-stop mode, makes it ask again. So
 * a command that moves the machine needs gdb's help: after each `monitor` it forgets them. Source: the gdb manual, "User-defined Command
 * Hooks", "Maintenance Commands".
 */
import { SOURCE_FOLDER } from "../compiler/root";

/** The file's text for sources below a root. */
export function gdbScript(root: string): string {
  return `set substitute-path ${SOURCE_FOLDER} ${root}/
define hookpost-monitor
pipe maintenance flush register-cache | cat >/dev/null
end
`;
}

/** Name of the file with it. */
export const GDB_SCRIPT_NAME = "tine.gdb";
