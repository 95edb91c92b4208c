# SPDX-License-Identifier: MIT
#
# What a person types. GNUmakefile builds; this runs, tests and installs.
# The lines "#: name  text" are what "make help" prints.

.DEFAULT_GOAL := all
PREFIX	?= /usr/local
# Read by the scripts in ci/; an empty one means its default.
export BUILD QEMU DISK IOMMU GPU CPUS MEM MACHINE BOOT ACCEL QEMU_ARGS APPEND
export TIMEOUT S T C B PREFIX MAKE

# DISPLAY=gtk on make's command line is QEMU's -display. X11's variable of that
# name, hidden by it, is still in make's first environment.
ifeq ($(origin DISPLAY),command line)
export SCREEN := $(DISPLAY)
override DISPLAY := $(shell tr '\0' '\n' </proc/$$PPID/environ | \
	   sed -n 's/^DISPLAY=//p')
export DISPLAY
endif

ci-make	= $(Q)+$(MAKE) --no-print-directory $(if $(Q),-s)
ci-parts := $(BUILD)/tour.img $(BUILD)/ktap

#:Targets
#: all        the kernel, its boot disk and the tour's disk, below BUILD
#: run        boot it in QEMU: the tour; with a terminal a prompt after it
#: check      all host tests and the in-guest suites on three IOMMUs; T=nvme: one
#: guest      boot once, run the in-guest suites S, print their KTAP
#: matrix     every libvirt row of ci/topologies, under libvirtd; then virsh
#:            reset, reboot and shutdown (C=life: these only)
#: decode     LOG=file: a panic's log with the source line of each frame
#: crashes    one boot for each way to crash; C=NAME,NAME: those only
#: fuzz       feed the parsers F arbitrary bytes for SECONDS each (clang)
#: bench      time the benchmarks B, and count their instructions
#: oracle     what the hypervisor offers and keeps; BUILD/oracle.json
#: lifecycle  stops, resets, the power button; N=20 rounds, STOP=10 seconds each
#: shot       the tour's screen, as BUILD/tour.png
#: install    kernel, tour's disk and libvirt rows below PREFIX (DESTDIR too)
#: deps       install the Debian packages that all of this needs
#: clean      remove BUILD
#:
#:Variables (default)
#: DISK=      any file, shown read-only as an NVMe disk; none (the tour's)
#: IOMMU=     virtio, intel, amd or none (virtio)
#: GPU=       virtio or none (virtio)
#: CPUS= MEM= processors (2) and MiB (256)
#: ACCEL=     kvm, tcg or auto: KVM where it is quick, else TCG (auto)
#: APPEND=    more words for the kernel's command line
#: MACHINE=   q35 or pc (q35)
#: BOOT=      kernel, or by SeaBIOS from a disk: disk (AHCI, IDE), nvme (kernel)
#: DISPLAY=   gtk, sdl, vnc=:0 … on make's command line only (none)
#: QEMU_ARGS= more arguments for QEMU
#: QEMU=      which QEMU (qemu-system-x86_64)
#: TIMEOUT=   seconds until QEMU is ended (300; run at a terminal: never)
#: S=         in-guest suites for guest, with commas between (all)
#: B=         a group of benchmarks for bench: cpu, irq (cpu)
#: F=         fuzz targets: msi is tests/fuzz/fuzz_msi.c (all)
#: SECONDS=   for each of them (msi 60, others 10)
#: T=         host tests for check: nvme is tests/check_nvme.c (all)
#: BUILD=     where everything goes (build)
#: PREFIX=    where install puts it (/usr/local)
#: V=1        show the commands

.PHONY: all run check guest matrix decode crashes lifecycle bench shot install deps clean help
.PHONY: check-parts headers oracle fuzz fuzzers corpus

all: kernel image $(ci-parts)

run:
	$(Q)ci/deps build run
	$(ci-make) kernel $(if $(filter disk nvme,$(BOOT)),image) $(ci-parts)
	$(Q)ci/run

guest:
	$(Q)ci/deps build run
	$(ci-make) kernel $(if $(filter disk nvme,$(BOOT)),image) $(ci-parts) >&2
	$(Q)ci/guest

check:
	$(Q)ci/deps build run check
	$(Q)+ci/check

matrix:
	$(Q)ci/deps build run matrix
	$(ci-make) install $(BUILD)/subreaper
	$(Q)ci/matrix

decode:
	$(Q)ci/deps build
	$(Q)ci/decode $(LOG)

crashes:
	$(Q)ci/deps build run
	$(ci-make) kernel
	$(Q)ci/crashes

bench:
	$(Q)ci/deps build run bench
	$(ci-make) kernel $(if $(filter irq,$(B)),$(BUILD)/tour.img)
	$(Q)ci/bench

oracle:
	$(Q)ci/deps build run oracle
	$(ci-make) kernel >&2
	$(Q)ci/oracle

fuzz:
	$(Q)ci/deps build fuzz
	$(ci-make) fuzzers
	$(Q)F='$(F)' FUZZ_TIME='$(SECONDS)' ci/fuzz

lifecycle:
	$(Q)ci/deps build run
	$(ci-make) kernel image $(ci-parts)
	$(Q)ci/lifecycle

shot:
	$(Q)ci/deps build run shot
	$(ci-make) kernel $(ci-parts)
	$(Q)ci/shot

deps:
	$(Q)ci/deps

clean:
	$(Q)rm -rf $(BUILD)

help:
	$(Q)sed -n 's/^#: \{0,1\}//p' ci/targets.mk

# The rows' serial logs go below /var/log/lodger, wherever PREFIX is.
install: kernel $(ci-parts)
	$(Q)install -d $(DESTDIR)$(PREFIX)/lib/lodger \
		$(DESTDIR)$(PREFIX)/share/lodger $(DESTDIR)/var/log/lodger
	$(Q)install -m 644 $(BUILD)/lodger.elf $(DESTDIR)$(PREFIX)/lib/lodger/
	$(Q)install -m 644 $(BUILD)/tour.img $(DESTDIR)$(PREFIX)/share/lodger/
	$(Q)for row in ci/topologies/*.xml; do \
		sed 's|/usr/local/|$(PREFIX)/|' $$row \
		>$(DESTDIR)$(PREFIX)/share/lodger/$${row##*/} || exit; done

$(BUILD)/tour.img: ci/mkdisk ci/tour.txt
	@mkdir -p $(@D)
	$(Q)ci/mkdisk $@

# The judge reads anything a guest may say: run it sanitised.
$(BUILD)/ktap: ci/ktap.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(HCFLAGS) -o $@ $<

$(BUILD)/subreaper: ci/subreaper.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fsanitize% -fno-sanitize%,$(HCFLAGS)) -o $@ $<

# ---- fuzzing: the same files once more, by clang for its libFuzzer --------------

FUZZCC	:= clang
FUZZFLAGS := $(filter-out -fsanitize% $(WARN),$(HCFLAGS)) \
	   -fsanitize=address,undefined -Wno-unknown-attributes
FUZZES	:= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

$(BUILD)/f/%.o: %.c GNUmakefile ci/targets.mk
	@mkdir -p $(@D)
	$(Q)$(FUZZCC) $(FUZZFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(BUILD)/f/liball.a: $(HLIBSRC:%.c=$(BUILD)/f/%.o) $(HSIDESRC:%.c=$(BUILD)/f/%.o)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# What a target watches by a function of its own, which calls the real one.
$(BUILD)/fuzz_msi: FUZZWRAP := -Wl,--wrap=io_map_mem
$(BUILD)/fuzz_%: $(BUILD)/f/tests/fuzz/fuzz_%.o $(BUILD)/f/liball.a
	$(Q)$(FUZZCC) $(FUZZFLAGS) -fsanitize=fuzzer $(FUZZWRAP) -o $@ $^ -lpthread

fuzzers: $(FUZZES:%=$(BUILD)/fuzz_%)

# The seeds of fuzz_msi, anew, from the QEMU that is installed.
corpus: $(BUILD)/corpus
	$(Q)$< tests/fuzz/corpus/msi

$(BUILD)/corpus: $(BUILD)/h/tests/fuzz/corpus.o $(BUILD)/h/libhost.a $(BUILD)/h/liblodger.a
	$(Q)$(CC) $(HCFLAGS) -o $@ $< -Wl,--start-group $(BUILD)/h/libhost.a $(BUILD)/h/liblodger.a -Wl,--end-group $(HLIBS)

# ---- each header compiles alone ---------------------------------------------

HEADERS	:= $(foreach r,$(ROOMS),$(wildcard $(r)/*.h)) \
	   $(wildcard tests/guest/*.h)
HHEADERS := $(wildcard tests/host/*.h tests/fake/*.h)

headers: $(HEADERS:%=$(BUILD)/alone/%) $(HHEADERS:%=$(BUILD)/alone/%)

$(BUILD)/alone/tests/host/%.h $(BUILD)/alone/tests/fake/%.h: KCFLAGS = $(HCFLAGS)
$(BUILD)/alone/%.h: %.h GNUmakefile
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(CC) $(KCFLAGS) -MMD -MP -MF $@.d -MT $@ -fsyntax-only -include $< \
		-x c /dev/null
	@touch $@

# All that check runs, as far as it compiles.
check-parts: $(CHECKS:%=$(BUILD)/check_%) $(THREADED:%=$(BUILD)/tsan/%) headers kernel image $(ci-parts)
