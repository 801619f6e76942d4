/*
 * The loop of kernel/mm/pagetable.ts, copyPtes, in C: what gcc makes of it is the measure for our compiler. The same structures,
 * the same reverse map (kernel/mm/rmap.ts), the same free lists (kernel/mm/slab.ts). A freestanding multiboot image: it fills
 * TABLES page tables, copies each once, and ends the run by the exit port, 0 if every entry was copied.
 */
typedef unsigned int u32;

struct page { u32 flags, count, rmap, next, previous, object, index, order; };
struct slab { u32 flags, inUse, freeHead, next, previous, cache; };
struct cache { u32 flags, inUse, freeHead, first, last, bytes, perSlab, kind, free, reserved; };

enum { MAPPED = 0x81, FRAME = 0xfffff000, DIRECT = 1, BLOCK_MASK = 31, FIRST_ENTRY = 4, LAST_ENTRY = 28 };
enum { TABLES = 8, ENTRIES = 1024, PAGES = TABLES * ENTRIES, BLOCK = 32, SLAB_OBJECTS = 128, SLABS = PAGES / SLAB_OBJECTS };

__attribute__((section(".multiboot"), used)) static const u32 header[3] = {0x1badb002, 0, -0x1badb002};

struct page *memMap;
struct cache chainCache;

static struct page pages[PAGES];
static struct slab slabs[SLABS];
static u32 from[TABLES][ENTRIES], to[TABLES][ENTRIES];
static unsigned char blocks[SLABS][SLAB_OBJECTS * BLOCK] __attribute__((aligned(4096)));
static unsigned char stack[16384] __attribute__((aligned(16), used));

static void out8(unsigned short port, unsigned char value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

static inline u32 take(void) {
  struct slab *slab = (struct slab *)chainCache.first;
  u32 object = slab->freeHead;
  u32 next = *(u32 *)object;
  slab->freeHead = next;
  slab->inUse++;
  chainCache.free--;
  if (next == 0) {
    u32 after = slab->next, before = slab->previous;
    ((struct slab *)after)->previous = before;
    ((struct slab *)before)->next = after;
  }
  return object;
}

/* Of a page that has an entry already. */
static inline void addFurther(struct page *page, u32 pte) {
  u32 rmap = page->rmap;
  if (rmap & DIRECT) {
    u32 block = take();
    *(u32 *)block = 0;
    *(u32 *)(block + FIRST_ENTRY) = rmap ^ DIRECT;
    *(u32 *)(block + FIRST_ENTRY + 4) = pte;
    page->rmap = block + FIRST_ENTRY + 4;
  } else if ((rmap & BLOCK_MASK) != LAST_ENTRY) {
    *(u32 *)(rmap + 4) = pte;
    page->rmap = rmap + 4;
  } else {
    u32 block = take();
    *(u32 *)block = rmap;
    *(u32 *)(block + FIRST_ENTRY) = pte;
    page->rmap = block + FIRST_ENTRY;
  }
}

__attribute__((noinline)) void copyPtes(u32 first, u32 end, u32 distance, u32 keep) {
  for (u32 pte = first; pte < end; pte += 4) {
    u32 entry = *(volatile u32 *)pte;
    if ((entry & MAPPED) == 0) continue;
    *(volatile u32 *)pte = entry & keep;
    *(volatile u32 *)(pte + distance) = entry & keep;
    struct page *page = (struct page *)((char *)memMap + ((entry & FRAME) >> 7));
    page->count++;
    addFurther(page, pte + distance);
  }
}

static void prepare(void) {
  struct slab *head = (struct slab *)&chainCache;
  head->next = head->previous = (u32)head;
  for (int s = 0; s < SLABS; s++) {
    for (int i = 0; i < SLAB_OBJECTS; i++) {
      *(u32 *)&blocks[s][i * BLOCK] = i + 1 < SLAB_OBJECTS ? (u32)&blocks[s][(i + 1) * BLOCK] : 0;
    }
    slabs[s].freeHead = (u32)blocks[s];
    slabs[s].next = (u32)head;
    slabs[s].previous = head->previous;
    ((struct slab *)head->previous)->next = (u32)&slabs[s];
    head->previous = (u32)&slabs[s];
  }
  chainCache.free = PAGES;
  for (int t = 0; t < TABLES; t++) {
    for (int i = 0; i < ENTRIES; i++) {
      from[t][i] = ((u32)(t * ENTRIES + i) << 12) | 0x67;
      pages[t * ENTRIES + i].count = 1;
      pages[t * ENTRIES + i].rmap = (u32)&from[t][i] | DIRECT;
    }
  }
}

__attribute__((used)) static void run(void) {
  memMap = pages;
  prepare();
  for (int t = 0; t < TABLES; t++) {
    copyPtes((u32)from[t], (u32)(from[t] + ENTRIES), (u32)to[t] - (u32)from[t], ~2u);
  }
  u32 right = to[0][1] == (0x1067 & ~2u);
  for (int i = 0; i < PAGES; i++) right &= pages[i].count == 2 && *(u32 *)pages[i].rmap == (u32)&to[0][i];
  out8(0xf4, right ? 0 : 2);
  for (;;) __asm__ volatile("hlt");
}

__asm__(".global _start\n_start: movl $stack + 16384, %esp\n call run\n");
