# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2054 # arrays; QEMU's own commas
#
# The machine Lodger is tried on, as QEMU's arguments, and the one way to run
# it: with an end, and leaving nothing behind. Sourced by run, guest, shot and
# probe-kvm. What it reads from the environment, all optional:
#
#	BUILD QEMU DISK IOMMU GPU CPUS MEM MACHINE BOOT ACCEL QEMU_ARGS
#	SCREEN (what QEMU's -display takes) DEBUG_EXIT (off: no isa-debug-exit)
#
# The result is the array machine=(); its by-products are BUILD/$machine_name.*:
# .log (the serial port), .qemu.log (QEMU's complaints), .reset.log (registers),
# .boot.img (with BOOT=disk or nvme).

: "${BUILD:=build}" "${QEMU:=qemu-system-x86_64}" "${IOMMU:=virtio}"
: "${GPU:=virtio}" "${CPUS:=2}" "${MEM:=256}" "${MACHINE:=q35}" "${BOOT:=kernel}"
: "${ACCEL:=auto}" "${SCREEN:=none}" "${DEBUG_EXIT:=on}" "${QEMU_ARGS:=}" "${APPEND:=}"
DISK=${DISK:-$BUILD/tour.img}
PATH=$PATH:/usr/sbin:/sbin
machine=()
machine_pid=
machine_name=run

say() {
	printf 'lodger: %s\n' "$*" >&2
}

# Status 99: the rig failed, the guest was not judged.
die() {
	say "$*"
	exit 99
}

one_of() {
	local name=$1 value=$2 known
	shift 2
	for known; do
		[ "$value" = "$known" ] && return
	done
	die "$name=$value: one of $*"
}

a_number() {
	case $2 in
	'' | 0* | *[!0-9]*) die "$1=$2: a number from 1 up" ;;
	esac
}

# QEMU's options double the commas of a value.
quoted() {
	printf '%s' "${1//,/,,}"
}

machine_check() {
	one_of IOMMU "$IOMMU" virtio intel amd none
	one_of GPU "$GPU" virtio none
	one_of MACHINE "$MACHINE" q35 pc
	one_of BOOT "$BOOT" kernel disk nvme
	one_of ACCEL "$ACCEL" auto kvm tcg
	a_number CPUS "$CPUS"
	a_number MEM "$MEM"
	case $MACHINE/$IOMMU in
	pc/intel | pc/amd) die "IOMMU=$IOMMU needs MACHINE=q35" ;;
	esac
	command -v "$QEMU" >/dev/null || die "$QEMU: not found (make deps)"
	if [ "$DISK" != none ]; then
		[ -e "$DISK" ] || die "DISK=$DISK: no such file"
		[ -f "$DISK" ] || [ -b "$DISK" ] ||
			die "DISK=$DISK: not a file"
		[ -r "$DISK" ] || die "DISK=$DISK: not readable"
	fi
	case $BOOT in
	kernel) machine_image=$BUILD/lodger.elf ;;
	*) machine_image=$BUILD/lodger.img ;;
	esac
	[ -r "$machine_image" ] || die "$machine_image: not built (make all)"
	[ -z "$machine_why" ] || return 0
	machine_accel=$ACCEL machine_why="as asked"
	[ "$ACCEL" != auto ] || machine_choose
}

# ACCEL=auto: KVM where it executes ring 0 itself, else TCG; never silently.
machine_accel='' machine_why=''
machine_choose() {
	local verdict
	verdict=$(BUILD=$BUILD QEMU=$QEMU "${BASH_SOURCE[0]%/*}/probe-kvm") ||
		verdict="tcg KVM was not tried: the probe failed"
	machine_accel=${verdict%% *} machine_why=${verdict#* }
}

# A disk has whole sectors; the file's true length travels by command line.
disk_bytes() {
	if [ -b "$DISK" ]; then
		blockdev --getsize64 "$DISK"
	else
		stat -Lc %s -- "$DISK"
	fi
}

# The command line's word for it.
disk_word() {
	[ "$DISK" = none ] || echo "disk.bytes=$(disk_bytes)"
}

# machine_build CMDLINE: fill in machine=(), all but the serial port.
machine_build() {
	local cmdline=$1 board=$MACHINE platform="" file
	machine_check
	machine=("$QEMU" -nodefaults -no-reboot -no-user-config
		-action panic=none -display "$SCREEN" -smp "$CPUS" -m "${MEM}M")

	if [ "$machine_accel" = kvm ]; then
		# VT-d remaps interrupts only when QEMU owns the IOAPIC.
		[ "$IOMMU" != intel ] || board+=,kernel-irqchip=split
		machine+=(-cpu host,-arch-capabilities)
	else
		machine+=(-cpu max)
	fi
	machine+=(-machine "$board" -accel "$machine_accel")

	case $IOMMU in
	virtio) machine+=(-device virtio-iommu-pci,addr=2) ;;
	intel) machine+=(-device intel-iommu) ;;
	amd) machine+=(-device amd-iommu) ;;
	esac
	# Without it a virtio device reads memory behind the IOMMU's back.
	[ "$IOMMU" = none ] || platform=,iommu_platform=on,disable-legacy=on

	if [ "$DISK" != none ]; then
		file=$(quoted "$(realpath -- "$DISK")")
		machine+=(-drive
			"file=$file,if=none,id=disk,format=raw,readonly=on"
			-device "nvme,id=nvme0,drive=disk,serial=lodger,addr=3")
	fi
	[ "$GPU" = none ] ||
		machine+=(-device "virtio-gpu-pci,id=gpu0,addr=4$platform")
	[ "$DEBUG_EXIT" = off ] ||
		machine+=(-device isa-debug-exit,iobase=0xf4,iosize=4)
	machine+=(-device pvpanic
		-d cpu_reset -D "$BUILD/$machine_name.reset.log")
	: >"$BUILD/$machine_name.reset.log"
	machine_boot "$cmdline"

	# Split at blanks as a shell would, quotes included.
	local more=()
	mapfile -d '' -t more < <(xargs printf '%s\0' <<<"$QEMU_ARGS")
	[ -z "$QEMU_ARGS" ] || machine+=("${more[@]}")
}

# The boot disk holds its command line in sectors 5 and 6 (boot/disk.h): a copy
# of it gets ours.
machine_disk() {
	local copy=$BUILD/$machine_name.boot.img
	[ "${#1}" -lt 1024 ] || die "the command line has ${#1} bytes, not < 1024"
	cp -- "$machine_image" "$copy"
	{ printf '%s' "$1" && head -c 1024 /dev/zero; } | head -c 1024 |
		dd of="$copy" bs=512 seek=5 iflag=fullblock conv=notrunc \
			status=none
	quoted "$(realpath -- "$copy")"
}

machine_boot() {
	local file
	if [ "$BOOT" = kernel ]; then
		machine+=(-kernel "$machine_image" -append "$1")
		return
	fi
	file=$(machine_disk "$1")
	machine+=(-drive "file=$file,if=none,id=boot,format=raw,snapshot=on")
	case $BOOT in
	disk) machine+=(-device ide-hd,drive=boot,bus=ide.0,bootindex=0) ;;
	nvme) machine+=(-device \
		nvme,drive=boot,serial=boot,addr=5,bootindex=0) ;;
	esac
}

# machine_console CHARDEV-OPTIONS: the serial port, kept in a log too.
machine_console() {
	machine+=(-chardev
		"stdio,id=con,signal=off$1,logfile=$(quoted \
			"$BUILD/$machine_name.log")"
		-serial chardev:con)
}

machine_tripled() {
	grep -q 'Triple fault' "$BUILD/$machine_name.reset.log"
}

machine_banner() {
	local disk=none
	if [ "$DISK" != none ]; then
		disk="$DISK, $(disk_bytes) bytes"
		[ "$(disk_bytes)" != 0 ] ||
			disk="$DISK is empty: the guest sees a disk of size 0"
	fi
	say "$MACHINE, CPUS=$CPUS, MEM=$MEM, IOMMU=$IOMMU; disk: $disk"
	say "accelerator: $machine_accel ($machine_why)"
}

# The words in front of a command that bound it to SECONDS of wall-clock time
# (0: none) and to this script's life, even if that ends by SIGKILL.
bounded=()
machine_bound() {
	bounded=(setpriv --pdeathsig TERM timeout --foreground -k 5 "$1"
		setpriv --pdeathsig KILL)
}

machine_stop() {
	[ -z "$machine_pid" ] || kill "$machine_pid" 2>/dev/null || true
	[ -z "$machine_pid" ] || wait "$machine_pid" 2>/dev/null || true
	machine_pid=
}

machine_traps() {
	trap machine_stop EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}
