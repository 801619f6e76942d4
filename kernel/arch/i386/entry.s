# Boot: from the multiboot loader to kernelMain(magic, info) at its linked address, on a stack, with paging on.
#
# The loader leaves a flat 32-bit machine without paging; EAX = magic, EBX = physical address of its information. Labels
# are virtual (0xC0100000 up), so until paging is on each is used less KERNEL_BASE. What is left behind:
#
#   - bootDirectory is the kernel's page directory: slots 768 up map physical 0 up to the end of memory (896 MB at most)
#     by 4 MB pages, global if the CPU can; its user slots are empty. Every mm's directory copies its kernel half.
#   - CR0.PG, CR0.WP (the kernel's writes obey user write protection: the sharing of tables counts on it), CR0.EM (no x87:
#     its instructions trap); CR4.PSE, CR4.PGE.
#   - our GDT, whose TSS descriptor gdt.ts fills in.
#
# A CPU without 4 MB pages, or a loader that tells no memory size, is refused with a line on COM1.
# Source: Multiboot Specification 0.6.96, 3.1-3.3; Intel SDM volume 3, 4.3, 9.9.

.equ KERNEL_BASE, 0xC0000000
.equ KERNEL_SLOT, 768
.equ DIRECT_MAP_SLOTS, 224

.equ MULTIBOOT_MAGIC, 0x1BADB002
# Modules on page boundaries; tell the memory size.
.equ MULTIBOOT_FLAGS, 0x00000003

.equ CR0_PG_WP_EM, 0x80010004
.equ CR0_MP_TS, 0x0000000A
.equ CR4_PSE, 0x10
.equ CR4_PGE, 0x80
.equ CPUID_PSE, 0x08
.equ CPUID_PGE, 0x2000
.equ EFLAGS_ID, 0x200000
# Present, writable, accessed, dirty, 4 MB; and global.
.equ PDE_LARGE, 0xE3
.equ PDE_GLOBAL, 0x100

.equ KERNEL_CS, 0x10
.equ KERNEL_DS, 0x18

.equ COM1, 0x3F8
.equ COM1_LINE_STATUS, 0x3FD
.equ EXIT_PORT, 0xF4

.text
.align 4
multibootHeader:
    .long MULTIBOOT_MAGIC
    .long MULTIBOOT_FLAGS
    .long 0 - MULTIBOOT_MAGIC - MULTIBOOT_FLAGS

.global _start
_start:
    cli
    cld
    mov ebp, eax

    # Zeroed memory first: the stack and the directory lie in it.
    xor eax, eax
    mov edi, __bss_start - KERNEL_BASE
    mov ecx, __bss_end - KERNEL_BASE
    sub ecx, edi
    mov edx, ecx
    shr ecx, 2
    rep stosd
    # Not a byte more: a module may lie right behind.
    mov ecx, edx
    and ecx, 3
    rep stosb
    mov esp, bootStackEnd - KERNEL_BASE

    # Is there CPUID (can EFLAGS.ID be changed), and 4 MB pages?
    pushfd
    pop eax
    mov ecx, eax
    xor eax, EFLAGS_ID
    push eax
    popfd
    pushfd
    pop eax
    xor eax, ecx
    mov esi, noLargePages - KERNEL_BASE
    test eax, EFLAGS_ID
    jz refuse
    mov edi, ebx
    mov eax, 1
    cpuid
    mov ebx, edi
    test edx, CPUID_PSE
    jz refuse

    # What each kernel slot's pde has besides its address, and what CR4 gets once paging is on.
    mov eax, PDE_LARGE
    xor edi, edi
    test edx, CPUID_PGE
    jz countSlots
    mov eax, PDE_LARGE | PDE_GLOBAL
    mov edi, CR4_PGE

countSlots:
    # Kilobytes from 1 MB up are at offset 8 of the information, if bit 0 of its first word is set.
    mov esi, noMemorySize - KERNEL_BASE
    test dword ptr [ebx], 1
    jz refuse
    mov ecx, [ebx + 8]
    add ecx, 1024 + 4095
    shr ecx, 12
    cmp ecx, DIRECT_MAP_SLOTS
    jbe mapSlots
    mov ecx, DIRECT_MAP_SLOTS

mapSlots:
    mov edx, bootDirectory - KERNEL_BASE + KERNEL_SLOT * 4
mapSlot:
    mov [edx], eax
    add edx, 4
    add eax, 0x400000
    dec ecx
    jnz mapSlot
    # The 4 MB that we run in also stay where they are, until the jump.
    mov dword ptr [bootDirectory - KERNEL_BASE], PDE_LARGE

    mov eax, cr4
    or eax, CR4_PSE
    mov cr4, eax
    mov eax, bootDirectory - KERNEL_BASE
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG_WP_EM
    and eax, 0xFFFFFFFF - CR0_MP_TS
    mov cr0, eax
    mov eax, high
    jmp eax

high:
    lgdt [gdtPointer]
    mov esp, bootStackEnd
    push KERNEL_CS
    push flat
    retf
flat:
    mov eax, KERNEL_DS
    mov ds, ax
    mov es, ax
    mov ss, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax

    mov [bootDirectory], eax
    mov eax, cr3
    mov cr3, eax
    mov eax, cr4
    or eax, edi
    mov cr4, eax

    # EBP = 0 ends the chain of frames that a backtrace follows.
    mov eax, ebp
    mov edx, ebx
    xor ebp, ebp
    call kernelMain
halted:
    cli
    hlt
    jmp halted

# Prints the line at ESI (physical; paging is off) on COM1, and ends the run as a panic does.
refuse:
    mov edx, COM1_LINE_STATUS
waitForTransmitter:
    in al, dx
    test al, 0x20
    jz waitForTransmitter
    lodsb
    test al, al
    jz refused
    mov edx, COM1
    out dx, al
    jmp refuse
refused:
    mov edx, EXIT_PORT
    mov al, 1
    out dx, al
stopped:
    hlt
    jmp stopped

# First address after the image and its zeroed memory.
.global imageEnd
imageEnd:
    mov eax, __image_end
    ret

# Top of the stack that kernelMain runs on.
.global bootStackTop
bootStackTop:
    mov eax, bootStackEnd
    ret

# Address of the GDT, for the TSS descriptor.
.global gdtAddress
gdtAddress:
    mov eax, gdt
    ret

.rodata
noLargePages:
    .asciz "tine: this CPU has no 4 MB pages (CPUID.PSE), which the kernel needs\n"
noMemorySize:
    .asciz "tine: the boot loader did not tell how much memory there is\n"

.data
# Flat segments, already marked accessed. Selectors as Linux 2.4's. Source: Intel SDM volume 3, 3.4.5.
.align 8
gdt:
    .long 0, 0
    .long 0, 0
    .long 0x0000FFFF, 0x00CF9B00     # 0x10 kernel code: base 0, 4 GB, ring 0
    .long 0x0000FFFF, 0x00CF9300     # 0x18 kernel data
    .long 0x0000FFFF, 0x00CFFB00     # 0x23 user code: ring 3
    .long 0x0000FFFF, 0x00CFF300     # 0x2B user data
    .long 0, 0                       # 0x30 TSS: gdt.ts
gdtEnd:
    .align 4
    .word 0
gdtPointer:
    .word gdtEnd - gdt - 1
    .long gdt

.bss
.align 4096
bootDirectory:
    .space 4096
    .space 8192
bootStackEnd:
