/* SPDX-License-Identifier: MIT */
/*
 * Page tables. The direct mapping covers what the memory map calls RAM or
 * ACPI data, and the first MiB (firmware's tables); registers are mapped on
 * request and uncached. The frames of text and rodata are read-only there too,
 * so that text is writable nowhere.
 *
 * The mapping area is handed out upwards, and no address twice; lower-level
 * tables stay once made. Unmapping makes every CPU forget the translation before
 * it returns, so a use after it faults wherever it happens. Stacks keep their
 * mapping for ever and are recycled whole (see stack_alloc).
 */
#include "core/vm.h"

#include "core/bits.h"
#include "core/bootinfo.h"
#include "core/dma.h"
#include "core/cpu.h"
#include "core/lock.h"
#include "core/page.h"
#include "core/panic.h"
#include "core/string.h"
#include "core/tlb.h"
#include "core/x86.h"

/* Vol. 3, 4.5: paging-structure entries. */
#define PTE_P		BIT_ULL(0)
#define PTE_RW		BIT_ULL(1)
#define PTE_US		BIT_ULL(2)
#define PTE_PWT		BIT_ULL(3)
#define PTE_PCD		BIT_ULL(4)
#define PTE_A		BIT_ULL(5)
#define PTE_D		BIT_ULL(6)
#define PTE_PS		BIT_ULL(7)
#define PTE_G		BIT_ULL(8)
#define PTE_ADDR	GENMASK_ULL(51, 12)
#define PTE_NX		BIT_ULL(63)

#define VM_LEVELS	4
#define VM_LARGE	MIB(2)		/* a page of level 2 */
#define CPUID_EXT_PAGE1GB	BIT(26)	/* leaf 0x80000001 EDX */

extern char image_text_start[], image_text_end[], image_ro_start[],
	image_ro_end[], image_rw_start[], image_rw_end[], boot_stack_guard[],
	boot_stack_top[], boot_pml4[];

static struct {
	struct spinlock lock;
	/* set once at start: */
	uint64_t *root;
	bool has_1g;
	/* lock: */
	uintptr_t next;			/* mapping area used up to here */
	void *stacks;			/* freed stacks, linked through their tops */
} vm = {
	.lock = SPINLOCK_INIT("vm"),
	.next = VM_MAP_BASE,
};

static unsigned vm_shift(unsigned level)	/* level 1: 4 KiB pages */
{
	return PAGE_SHIFT + 9 * (level - 1);
}

static uint64_t vm_pte_flags(unsigned flags)
{
	return PTE_P | PTE_A | PTE_D | PTE_G |
	       (flags & VM_WRITE ? PTE_RW : 0) |
	       (flags & VM_EXEC ? 0 : PTE_NX) |
	       (flags & VM_UNCACHED ? PTE_PCD | PTE_PWT : 0);
}

/* The entry for va at level, tables made on the way; NULL: out of memory. */
static uint64_t *vm_entry(uintptr_t va, unsigned level, bool make)
{
	uint64_t *table = vm.root, *e;
	void *page;

	for (unsigned l = VM_LEVELS;; l--) {
		e = &table[va >> vm_shift(l) & 511];
		if (l == level)
			return e;
		if (!(*e & PTE_P)) {
			page = make ? page_alloc_zero(0) : NULL;
			if (!page)
				return NULL;
			*e = virt_to_phys(page) | PTE_P | PTE_RW | PTE_A;
		}
		BUG_ON(*e & PTE_PS);
		table = phys_to_virt(*e & PTE_ADDR);
	}
}

/* The largest page that va, pa and size allow. */
static unsigned vm_best_level(uintptr_t va, phys_t pa, uint64_t size)
{
	for (unsigned l = vm.has_1g ? 3 : 2; l > 1; l--) {
		uint64_t bytes = UINT64_C(1) << vm_shift(l);

		if (IS_ALIGNED(va | pa, bytes) && size >= bytes)
			return l;
	}
	return 1;
}

/*
 * One walk for each run of entries in one table. A larger page can only begin
 * where a table ends, so a run never misses one.
 */
static int vm_map_range(uintptr_t va, phys_t pa, uint64_t size, unsigned flags)
{
	while (size) {
		unsigned l = vm_best_level(va, pa, size);
		uint64_t bytes = UINT64_C(1) << vm_shift(l);
		uint64_t pte = pa | vm_pte_flags(flags) | (l > 1 ? PTE_PS : 0);
		uint64_t left = 512 - (va >> vm_shift(l) & 511);
		uint64_t n = MIN(size / bytes, left);
		uint64_t *e = vm_entry(va, l, true);

		if (!e)
			return -1;
		va += n * bytes;
		pa += n * bytes;
		size -= n * bytes;
		for (; n; n--, pte += bytes)
			*e++ = pte;
	}
	return 0;
}

static void vm_map_boot(uintptr_t va, phys_t pa, uint64_t size, unsigned flags)
{
	if (size && vm_map_range(va, pa, size, flags))
		panic("vm: out of memory for the page tables at boot");
}

static phys_t vm_image_phys(const char *va)
{
	return (uintptr_t)va - VM_IMAGE_BASE;
}

static void vm_map_image(char *start, char *end, unsigned flags)
{
	vm_map_boot((uintptr_t)start, vm_image_phys(start),
		    (uint64_t)(end - start), flags);
}

/* Direct mapping of [pa, end): writable, but for the image's own frames. */
static void vm_map_direct(phys_t pa, phys_t end)
{
	phys_t ro = vm_image_phys(image_text_start);
	phys_t ro_end = vm_image_phys(image_ro_end);
	phys_t cut;

	pa = ALIGN_DOWN(pa, PAGE_SIZE);
	end = ALIGN_UP(end, PAGE_SIZE);
	if (pa < ro) {
		cut = MIN(end, ro);
		vm_map_boot(VM_DIRECT_BASE + pa, pa, cut - pa, VM_WRITE);
		pa = cut;
	}
	if (pa < end && pa < ro_end) {
		cut = MIN(end, ro_end);
		vm_map_boot(VM_DIRECT_BASE + pa, pa, cut - pa, 0);
		pa = cut;
	}
	if (pa < end)
		vm_map_boot(VM_DIRECT_BASE + pa, pa, end - pa, VM_WRITE);
}

static void vm_map_memory(void)
{
	vm_map_direct(0, MIB(1));
	for (unsigned i = 0; i < bootinfo.nranges; i++) {
		const struct mem_range *r = &bootinfo.range[i];
		phys_t end = r->base + r->size;

		/* Firmware puts its tables into RAM that it calls ACPI, or
		   just reserved; but large reserved ranges are registers. */
		if (r->type != MEM_RAM && r->type != MEM_ACPI &&
		    !(r->type == MEM_RESERVED && r->size <= MIB(4)))
			continue;
		if (end > MIB(1))
			vm_map_direct(MAX(r->base, MIB(1)), end);
	}
}

void vm_init(void)
{
	vm.has_1g = x86_cpuid(0x80000001, 0).edx & CPUID_EXT_PAGE1GB;
	vm.root = page_alloc_zero(0);
	if (!vm.root)
		panic("vm: out of memory for the first page table");
	vm_map_memory();
	vm_map_image(image_text_start, image_text_end, VM_EXEC);
	vm_map_image(image_ro_start, image_ro_end, 0);
	vm_map_image(image_rw_start, image_rw_end, VM_WRITE);
	*vm_entry((uintptr_t)boot_stack_guard, 1, true) = 0;
	x86_load_cr3(virt_to_phys(vm.root));
}

phys_t vm_root(void)
{
	return virt_to_phys(vm.root);
}

/* Clears the boot tables: nothing can come through them any more. */
void vm_drop_identity(void)
{
	memset(phys_to_virt((uintptr_t)boot_pml4), 0, PAGE_SIZE);
}

static uintptr_t vm_take_range(size_t size)
{
	irqflags_t flags = spin_lock(&vm.lock);
	uintptr_t va = ALIGN_UP(vm.next, size >= VM_LARGE ? VM_LARGE : PAGE_SIZE);

	if (size <= VM_MAP_BASE + VM_MAP_SIZE - va)
		vm.next = va + size;
	else
		va = 0;
	spin_unlock(&vm.lock, flags);
	return va;
}

/* The entry that maps va, of level 2 or 1; NULL: there is no table for it. */
static uint64_t *vm_leaf(uintptr_t va)
{
	uint64_t *e = vm_entry(va, 2, false);

	return e && (*e & PTE_PS) ? e : vm_entry(va, 1, false);
}

static void vm_clear_locked(uintptr_t va, size_t size)
{
	size_t step;

	spin_assert_held(&vm.lock);
	for (; size; size -= step, va += step) {
		uint64_t *e = vm_leaf(va);

		step = e && (*e & PTE_PS) ? VM_LARGE : PAGE_SIZE;
		if (e)
			*e = 0;
	}
}

/* Large pages where both sides allow and no table is in the way. */
static int vm_fill_locked(uintptr_t va, phys_t pa, size_t size, unsigned flags)
{
	size_t step;

	spin_assert_held(&vm.lock);
	for (size_t off = 0; off < size; off += step) {
		uint64_t *e = NULL, large = PTE_PS;

		step = VM_LARGE;
		if (IS_ALIGNED((va + off) | (pa + off), VM_LARGE) &&
		    size - off >= VM_LARGE)
			e = vm_entry(va + off, 2, true);
		if (!e || (*e & PTE_P)) {
			step = PAGE_SIZE;
			large = 0;
			e = vm_entry(va + off, 1, true);
		}
		if (!e) {
			vm_clear_locked(va, off);
			return -1;
		}
		*e = (pa + off) | vm_pte_flags(flags) | large;
	}
	return 0;
}

static int vm_fill(uintptr_t va, phys_t pa, size_t size, unsigned flags)
{
	irqflags_t irq = spin_lock(&vm.lock);
	int err = vm_fill_locked(va, pa, size, flags);

	spin_unlock(&vm.lock, irq);
	return err;
}

void *vm_map(phys_t pa, size_t size, unsigned flags)
{
	size_t off = pa & (PAGE_SIZE - 1);
	size_t bytes = ALIGN_UP(off + size, PAGE_SIZE);
	uintptr_t va = vm_take_range(bytes);

	if (!va || vm_fill(va, pa - off, bytes, flags))
		return NULL;
	return (void *)(va + off);
}

void vm_unmap(void *p, size_t size)
{
	size_t off = (uintptr_t)p & (PAGE_SIZE - 1);
	irqflags_t flags = spin_lock(&vm.lock);

	vm_clear_locked((uintptr_t)p - off, ALIGN_UP(off + size, PAGE_SIZE));
	spin_unlock(&vm.lock, flags);
	tlb_flush(p, size);
}

/*
 * Stacks keep their mapping for ever and are recycled whole, so that no other
 * CPU's TLB can hold anything that has changed. A free one is linked through
 * its topmost word.
 */
void *stack_alloc(void)
{
	irqflags_t flags = spin_lock(&vm.lock);
	void **top = vm.stacks;
	uintptr_t va;
	void *pages;

	if (top)
		vm.stacks = top[-1];
	spin_unlock(&vm.lock, flags);
	if (top)
		return top;

	pages = page_alloc(page_order(STACK_SIZE));
	if (!pages)
		return NULL;
	va = vm_take_range(PAGE_SIZE + STACK_SIZE);
	if (!va || vm_fill(va + PAGE_SIZE, virt_to_phys(pages), STACK_SIZE,
			   VM_WRITE)) {
		page_free(pages, page_order(STACK_SIZE));
		return NULL;
	}
	return (void *)(va + PAGE_SIZE + STACK_SIZE);
}

void stack_free(void *p)
{
	void **top = p;
	irqflags_t flags = spin_lock(&vm.lock);

	top[-1] = vm.stacks;
	vm.stacks = top;
	spin_unlock(&vm.lock, flags);
}

/*
 * The boot stack's guard, or a page of the mapping area with nothing in it
 * below one of a stack: small and cached. Called while panicking: no lock.
 */
bool stack_is_guard(uintptr_t addr)
{
	uint64_t *e;

	if (addr - (uintptr_t)boot_stack_guard < PAGE_SIZE)
		return true;
	if (addr < VM_MAP_BASE || addr >= READ_ONCE(vm.next))
		return false;
	e = vm_leaf(addr);
	if (e && (*e & PTE_P))
		return false;
	e = vm_leaf(addr + PAGE_SIZE);
	return e && (*e & PTE_P) && !(*e & (PTE_PS | PTE_PCD));
}

bool stack_holds(const void *top, uintptr_t addr)
{
	return (uintptr_t)top - 1 - addr < PAGE_SIZE + STACK_SIZE;
}

bool stack_is_boot(uintptr_t addr)
{
	return addr - (uintptr_t)boot_stack_guard <
	       (uintptr_t)(boot_stack_top - boot_stack_guard);
}

static bool vm_within(uintptr_t addr, const char *start, const char *end)
{
	return addr >= (uintptr_t)start && addr < (uintptr_t)end;
}

const char *vm_region(uintptr_t addr)
{
	if (vm_within(addr, image_text_start, image_text_end))
		return "text";
	if (vm_within(addr, image_ro_start, image_ro_end))
		return "rodata";
	if (vm_within(addr, image_rw_start, image_rw_end))
		return stack_is_boot(addr) ? "boot stack" : "data";
	if (addr >= VM_IMAGE_BASE)
		return "beside the image";
	if (addr >= VM_MAP_BASE && addr < VM_MAP_BASE + VM_MAP_SIZE)
		return "mappings and stacks";
	if (addr >= VM_DIRECT_BASE && addr < VM_MAP_BASE)
		return "direct mapping";
	return addr < VM_DIRECT_BASE ? "the low half" : "no memory";
}

/* Every level must allow it (vol. 3, 4.6). No lock: for panic. */
bool vm_is_user(uintptr_t addr)
{
	const uint64_t *table = vm.root;

	for (unsigned l = VM_LEVELS; table; l--) {
		uint64_t e = table[addr >> vm_shift(l) & 511];

		if ((e & (PTE_P | PTE_US)) != (PTE_P | PTE_US))
			return false;
		if (l == 1 || (e & PTE_PS))
			return true;
		table = phys_to_virt(e & PTE_ADDR);
	}
	return false;
}

static uint64_t vm_audit_table(const uint64_t *table, unsigned level,
			       uint64_t upper, struct vm_audit *a)
{
	uint64_t wx = 0;

	for (unsigned i = 0; i < 512; i++) {
		uint64_t e = table[i];
		uint64_t rights = (upper & e & (PTE_RW | PTE_US)) |
				  ((upper | e) & PTE_NX);

		if (!(e & PTE_P))
			continue;
		if (level > 1 && !(e & PTE_PS)) {
			wx += vm_audit_table(phys_to_virt(e & PTE_ADDR),
					     level - 1, rights, a);
			continue;
		}
		a->pages++;
		a->user += (rights & PTE_US) != 0;
		a->giant += level == 3;
		if (!(rights & PTE_NX)) {
			a->executable++;
			wx += (rights & PTE_RW) != 0;
		}
	}
	return wx;
}

void vm_audit(struct vm_audit *a)
{
	*a = (struct vm_audit){ 0 };
	a->low = vm.root[0] & PTE_P;
	a->writable_executable = vm_audit_table(vm.root, VM_LEVELS,
						PTE_RW | PTE_US, a);
}
