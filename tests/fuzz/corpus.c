/* SPDX-License-Identifier: MIT */
/*
 * Writes the seeds of fuzz_msi.c: the configuration spaces of QEMU's devices,
 * after Lodger has found them and assigned their BARs, one text file each into
 * the directory that is the argument: "#" and what it is, then bytes in hex.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/pci.h"
#include "core/pcireg.h"
#include "tests/fuzz/fuzz_msi.h"
#include "tests/host/host.h"
#include "tests/host/qtest.h"

#define CORPUS_LINE	32		/* bytes */

static const struct {
	const char *name, *option;
} devices[] = {				/* from slot 2 on */
	{ "nvme", "nvme,drive=d,serial=1,addr=2" },
	{ "virtio-gpu", "virtio-gpu-pci,addr=3" },
	{ "virtio-iommu", "virtio-iommu-pci,addr=4" },
	{ "edu", "edu,addr=5" },
	{ "e1000e", "e1000e,addr=6" },
	{ "root-port", "pcie-root-port,addr=7,chassis=1" },
	{ "ivshmem", "ivshmem-plain,memdev=m,addr=8" },
	{ "ahci", "ich9-ahci,addr=9" },
	{ "vmxnet3", "vmxnet3,addr=0xa" },
	{ "megasas", "megasas-gen2,addr=0xb" },
	{ "xhci", "qemu-xhci,addr=0xc" },
	{ "hda", "intel-hda,addr=0xd,msi=on" },
	{ "pci-bridge", "pci-bridge,addr=0xe,chassis_nr=2" },
	{ "ioh3420", "ioh3420,addr=0xf,chassis=3" },
	{ "virtio-rng", "virtio-rng-pci,addr=0x10,vectors=0" },
};

static void corpus_start(void)
{
	static const char *args[2 * ARRAY_SIZE(devices) + 8] = {
		"-drive", "if=none,id=d,file=null-co://,format=raw",
		"-object", "memory-backend-ram,id=m,size=1M",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
		args[4 + 2 * i] = "-device";
		args[5 + 2 * i] = devices[i].option;
	}
	host_start();
	if (qtest_start(args))
		exit(1);
	host_live_enumerate();
}

static void corpus_line(FILE *out, const uint8_t *bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%02x%c", bytes[i], i + 1 == n ? '\n' : ' ');
}

static void corpus_write(FILE *out, const char *name, const struct pci_dev *p)
{
	uint8_t head[FUZZ_HEAD] = {
		[FUZZ_MAX] = 4, [FUZZ_FLAGS] = FUZZ_WRITABLE, [FUZZ_PHYS] = 4,
	};
	uint8_t line[CORPUS_LINE];

	for (unsigned i = 0; i < PCI_BARS; i++)
		if (p->bar[i].size)
			head[FUZZ_BARS + i] = (uint8_t)ilog2(p->bar[i].size);
	fprintf(out, "# QEMU 7.2: %s\n", name);
	corpus_line(out, head, sizeof(head));
	for (unsigned off = 0; off < PCI_CONFIG_SIZE; off += CORPUS_LINE) {
		for (unsigned i = 0; i < CORPUS_LINE; i++)
			line[i] = pci_read8(p, off + i);
		corpus_line(out, line, CORPUS_LINE);
	}
}

static void corpus_save(const char *dir, unsigned i)
{
	const struct pci_dev *p = pci_find(PCI_BDF(0, 2 + i, 0));
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, devices[i].name);
	out = p ? fopen(path, "w") : NULL;
	if (!out) {
		fprintf(stderr, "corpus: no %s\n", p ? path : devices[i].name);
		exit(1);
	}
	corpus_write(out, devices[i].name, p);
	if (fclose(out)) {
		perror(path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: corpus DIRECTORY\n");
		return 1;
	}
	corpus_start();
	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++)
		corpus_save(argv[1], i);
	qtest_stop();
	return 0;
}
