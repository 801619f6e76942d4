/**
 * The public face of the library: all that a guest program imports, as "tine". May import this folder and kernel/abi.
 */

export * from "../../kernel/abi/clone";
export * from "../../kernel/abi/errno";
export * from "../../kernel/abi/fcntl";
export { cstr } from "../../kernel/abi/intrinsics";
export * from "../../kernel/abi/marks";
export * from "../../kernel/abi/mman";
export * from "../../kernel/abi/sigframe";
export * from "../../kernel/abi/signals";
export * from "../../kernel/abi/structs";
export * from "../../kernel/abi/wait";
export * from "./args";
export * from "./clone";
export * from "./file";
export * from "./malloc";
export * from "./marks";
export * from "./print";
export * from "./resident";
export * from "./signals";
export * from "./strerror";
export * from "./string";
export * from "./syscalls";
export * from "./test";
export * from "./trace";
export * from "./vmstat";
