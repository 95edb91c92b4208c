/* SPDX-License-Identifier: MIT */
#include "viommu/vtd.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/page.h"
#include "core/string.h"

/*
 * GCMD does not add and remove bits, it takes the whole set of enables anew,
 * so what is on must be said again. The one-shot bits are left out: repeating
 * them would repeat the action.
 */
int vtd_unit_command(struct vtd_unit *u, uint32_t set, uint32_t clear)
{
	uint32_t sts = io_read32(&u->regs, VTD_GSTS);

	if (sts == UINT32_MAX)
		return -ENODEV;
	io_write32(&u->regs, VTD_GCMD,
		   ((sts & VTD_G_ENABLES) | set) & ~clear);
	return poll_until(sts, io_read32(&u->regs, VTD_GSTS),
			  (sts & (set | clear)) == set,
			  time_now() + VTD_TIMEOUT);
}

static int vtd_unit_flush_writes_locked(struct vtd_unit *u)
{
	uint32_t sts = io_read32(&u->regs, VTD_GSTS);

	spin_assert_held(&u->lock);
	if (sts == UINT32_MAX)
		return -ENODEV;
	io_write32(&u->regs, VTD_GCMD, (sts & VTD_G_ENABLES) | VTD_G_WBF);
	/* Its status bit is set while the flush runs. */
	return poll_until(sts, io_read32(&u->regs, VTD_GSTS),
			  !(sts & VTD_G_WBF), time_now() + VTD_TIMEOUT);
}

/* GCMD takes one command at a time, and every domain of the unit maps. */
int vtd_unit_flush_writes(struct vtd_unit *u)
{
	irqflags_t flags = spin_lock(&u->lock);
	int err = vtd_unit_flush_writes_locked(u);

	spin_unlock(&u->lock, flags);
	return err;
}

/*
 * Write back the cache lines of what the unit reads past the caches. clflush
 * keeps its place among the stores before and after it (Intel SDM vol. 2A).
 */
static void vtd_unit_flush_lines(const void *p, size_t len)
{
	const uintptr_t line = 64;
	uintptr_t end = (uintptr_t)p + len;

	for (uintptr_t at = ALIGN_DOWN((uintptr_t)p, line); at < end;
	     at += line)
		__asm__ volatile("clflush %0" : "+m"(*(volatile char *)at));
}

/* Firmware, or a kernel before us, may have left it running. */
static int vtd_unit_quiesce(struct vtd_unit *u)
{
	static const uint32_t enables[] = { VTD_G_TE, VTD_G_IRE, VTD_G_QIE };
	uint32_t sts = io_read32(&u->regs, VTD_GSTS);
	int err;

	for (unsigned i = 0; i < ARRAY_SIZE(enables); i++) {
		if (!(sts & enables[i]))
			continue;
		err = vtd_unit_command(u, 0, enables[i]);
		if (err) {
			log_err(u->name, "is on (status %#x) and stays on", sts);
			return err;
		}
	}
	return 0;
}

/* The shallowest table will do: 39 bits are far more than we ever map. */
static int vtd_unit_geometry(struct vtd_unit *u)
{
	unsigned sagaw = FIELD_GET(VTD_CAP_SAGAW, u->cap);
	unsigned sllps = FIELD_GET(VTD_CAP_SLLPS, u->cap);
	unsigned mgaw = FIELD_GET(VTD_CAP_MGAW, u->cap) + 1;

	if (sagaw & VTD_SAGAW_39)
		u->levels = 3;
	else if (sagaw & VTD_SAGAW_48)
		u->levels = 4;
	else
		return -ENOTSUP;
	/* Page sizes build on each other: no 1 GiB pages without 2 MiB. */
	u->largest = !(sllps & 1) ? 1 : !(sllps & 2) ? 2 : 3;
	u->width = MIN(SLPT_SHIFT(u->levels + 1), mgaw);
	return 0;
}

static bool vtd_unit_records_fit(const struct vtd_unit *u)
{
	unsigned end = FIELD_GET(VTD_CAP_FRO, u->cap) +
		       FIELD_GET(VTD_CAP_NFR, u->cap) + 1;

	return end * VTD_FRCD_SIZE <= VTD_REGS_SIZE;
}

int vtd_unit_probe(struct vtd_unit *u, unsigned n, phys_t base)
{
	int err;

	fmt_snprintf(u->name, sizeof(u->name), "vtd%u", n);
	u->base = base;
	spin_init(&u->lock, "vtd queue");
	spin_init(&u->fault_lock, "vtd faults");
	if (!base || !IS_ALIGNED(base, PAGE_SIZE))
		return -EINVAL;
	err = io_map_mem(&u->regs, base, VTD_REGS_SIZE);
	if (err)
		return err;
	u->cap = io_read64(&u->regs, VTD_CAP);
	u->ecap = io_read64(&u->regs, VTD_ECAP);
	if (u->cap == UINT64_MAX || !io_read32(&u->regs, VTD_VER)) {
		log_err(u->name, "nothing answers at %#llx",
			(unsigned long long)base);
		return -ENODEV;
	}
	err = vtd_unit_geometry(u);
	if (err || !(u->ecap & VTD_ECAP_QI) || !vtd_unit_records_fit(u)) {
		log_err(u->name, "cannot be used: cap %#llx, ecap %#llx",
			(unsigned long long)u->cap,
			(unsigned long long)u->ecap);
		return -ENOTSUP;
	}
	if (!(u->ecap & VTD_ECAP_C))
		u->flush = vtd_unit_flush_lines;
	return vtd_unit_quiesce(u);
}

struct vtd_entry *vtd_unit_contexts(const struct vtd_unit *u, unsigned bus)
{
	return phys_to_virt(u->root[bus].lo & VTD_ROOT_CTP);
}

/* An empty root table: no bus has contexts, every request is refused. */
static int vtd_unit_set_root(struct vtd_unit *u)
{
	u->root = page_alloc_zero(0);
	if (!u->root)
		return -ENOMEM;
	if (u->flush)
		u->flush(u->root, PAGE_SIZE);
	io_write64(&u->regs, VTD_RTADDR, virt_to_phys(u->root));
	return vtd_unit_command(u, VTD_G_SRTP, 0);
}

int vtd_unit_start(struct vtd_unit *u)
{
	int err;

	err = vtd_unit_set_root(u);
	if (err)
		goto err_say;
	err = vtd_qi_start(u);
	if (err)
		goto err_say;
	/* Nothing older than the new root table may survive in a cache. */
	err = vtd_qi_flush_all(u);
	if (err)
		goto err_say;
	err = vtd_fault_start(u);
	if (err)
		goto err_say;
	log_info(u->name, "at %#llx: version %u.%u, %u bits, %u levels, pages up to %s, %u fault record%s",
		 (unsigned long long)u->base,
		 FIELD_GET(VTD_VER_MAX, io_read32(&u->regs, VTD_VER)),
		 FIELD_GET(VTD_VER_MIN, io_read32(&u->regs, VTD_VER)),
		 u->width, u->levels,
		 u->largest == 3 ? "1 GiB" : u->largest == 2 ? "2 MiB" : "4 KiB",
		 (unsigned)FIELD_GET(VTD_CAP_NFR, u->cap) + 1,
		 FIELD_GET(VTD_CAP_NFR, u->cap) ? "s" : "");
	return 0;

err_say:
	log_err(u->name, "cannot be started: %s", errno_name(err));
	return err;
}

int vtd_unit_enable(struct vtd_unit *u)
{
	int err = vtd_unit_command(u, VTD_G_TE, 0);

	if (err)
		log_err(u->name, "translation cannot be switched on: %s",
			errno_name(err));
	return err;
}

static void vtd_unit_free_root(struct vtd_unit *u)
{
	for (unsigned bus = 0; u->root && bus < VTD_ENTRIES; bus++) {
		if (u->root[bus].lo & VTD_ROOT_P)
			page_free(vtd_unit_contexts(u, bus), 0);
	}
	if (u->root)
		page_free(u->root, 0);
}

void vtd_unit_stop(struct vtd_unit *u)
{
	int err = 0;

	if (!u->regs.space)
		return;
	if (u->root)
		err = vtd_unit_command(u, 0, VTD_G_TE);
	if (err)
		log_err(u->name, "translation cannot be switched off");
	vtd_fault_stop(u);
	vtd_qi_stop(u);
	/* As with the ring: one that stays on keeps what it walks. */
	if (!err || err == -ENODEV)
		vtd_unit_free_root(u);
	u->root = NULL;
	io_unmap(&u->regs);
}
