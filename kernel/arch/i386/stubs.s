# Entry from and return to interrupted code, the switch between kernel stacks, and the copying of user memory.
#
# Calls follow the convention of compiled code: arguments in EAX, EDX, ECX; result in EAX; EBX ESI EDI EBP preserved.

.equ KERNEL_DS, 0x18
.equ EFAULT, 14
.equ CR0_WP, 0x00010000

.text

# One stub for each vector, 16 bytes apart. Each leaves what trapframe.ts draws from `vector` up: for vectors where the
# CPU pushes no error code, a 0 in its place. Gates are interrupt gates: IF = 0 on entry.
.align 16
plainStubs:
.rept 129
    .align 16
    push 0
    push \+
    jmp trapEntry
.endr

.align 16
errorStubs:
.rept 18
    .align 16
    push \+
    jmp trapEntry
.endr

# interruptStub(vector, hasError): address of a stub.
.global interruptStub
interruptStub:
    shl eax, 4
    test edx, edx
    jnz withError
    add eax, plainStubs
    ret
withError:
    add eax, errorStubs
    ret

# Pushes the rest of the TrapFrame and serves it. Falls into returnToUser.
trapEntry:
    push gs
    push fs
    push es
    push ds
    push eax
    push ebp
    push edi
    push esi
    push edx
    push ecx
    push ebx
    mov eax, KERNEL_DS
    mov ds, ax
    mov es, ax
    cld
    mov eax, esp
    call trapDispatch

# Pops the TrapFrame at ESP and goes back to what it interrupted. A new task begins here.
returnToUser:
    pop ebx
    pop ecx
    pop edx
    pop esi
    pop edi
    pop ebp
    pop eax
    pop ds
    pop es
    pop fs
    pop gs
    add esp, 8
    iretd

.global returnToUserAddress
returnToUserAddress:
    mov eax, returnToUser
    ret

# A task of the kernel's own begins here: there is one, and it never ends.
kernelTask:
    call reclaimTask

.global kernelTaskAddress
kernelTaskAddress:
    mov eax, kernelTask
    ret

# switchContext(saveEspTo, newEsp). What it pushes is what context.ts builds for a task that has never run.
.global switchContext
switchContext:
    push ebp
    push ebx
    push esi
    push edi
    mov [eax], esp
    mov esp, edx
    pop edi
    pop esi
    pop ebx
    pop ebp
    ret

# userCopy(destination, source, bytes): by words, then bytes. A fault that cannot be resolved comes back at a fixup, with ECX
# what the interrupted repetition had left. A word may straddle a good and a bad page: its bytes are tried one by one.
.global userCopy
userCopy:
    push esi
    push edi
    mov edi, eax
    mov esi, edx
    mov edx, ecx
    and edx, 3
    shr ecx, 2
copyWords:
    rep movsd
    mov ecx, edx
copyBytes:
    rep movsb
copyEnd:
    mov eax, ecx
    pop edi
    pop esi
    ret
copyWordsFixup:
    lea ecx, [edx + ecx*4]
    jmp copyBytes

# userStringCopy(destination, source, max)
.global userStringCopy
userStringCopy:
    push esi
    push edi
    mov edi, eax
    mov esi, edx
    mov edx, ecx
    test ecx, ecx
    jz stringEnd
stringByte:
    lodsb
    mov [edi], al
    test al, al
    jz stringEnd
    inc edi
    dec ecx
    jnz stringByte
stringEnd:
    mov eax, edx
    sub eax, ecx
    pop edi
    pop esi
    ret
stringFixup:
    mov eax, 0 - EFAULT
    pop edi
    pop esi
    ret

# clearWriteProtect()
.global clearWriteProtect
clearWriteProtect:
    mov eax, cr0
    and eax, 0xFFFFFFFF - CR0_WP
    mov cr0, eax
    ret

# findFixup(eip)
.global findFixup
findFixup:
    mov edx, fixups
nextFixup:
    mov ecx, [edx]
    test ecx, ecx
    jz noFixup
    cmp ecx, eax
    jz foundFixup
    add edx, 8
    jmp nextFixup
foundFixup:
    mov ecx, [edx + 4]
noFixup:
    mov eax, ecx
    ret

.rodata
# Instructions that touch user memory, and where each goes on when it may not.
.align 4
fixups:
    .long copyWords, copyWordsFixup
    .long copyBytes, copyEnd
    .long stringByte, stringFixup
    .long 0
