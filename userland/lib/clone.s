# vfork and clone, which TypeScript has no words for: both return twice, and the child has no frame of its own to return through.
# Arguments in EAX, EDX, ECX; result in EAX. The kernel leaves all registers of parent and child as they are but EAX and, of
# the child, ESP. runClone (clone.ts) calls the function and ends the child.

.equ CLONE, 120
.equ VFORK, 190

.text

# vforkCall(function, argument): the child runs function(argument) on this stack, below the return address that the parent still
# needs. Everything above ESP, the caller's frame with what it keeps there, is as it was when the parent goes on.
.global vforkCall
vforkCall:
    mov ecx, eax
    mov eax, VFORK
    int 0x80
    test eax, eax
    jnz vforkParent
    mov eax, ecx
    xor ebp, ebp
    call runClone
vforkParent:
    ret

# cloneCall(flags, stack, tid): the child runs with ESP = stack, where the function lies, then its argument. EDX and EDI, where pids
# go, are both tid.
.global cloneCall
cloneCall:
    push ebx
    push edi
    mov ebx, eax
    mov edi, ecx
    xchg ecx, edx
    mov eax, CLONE
    int 0x80
    test eax, eax
    jnz cloneParent
    pop eax
    pop edx
    xor ebp, ebp
    call runClone
cloneParent:
    pop edi
    pop ebx
    ret
