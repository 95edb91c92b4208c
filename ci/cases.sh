# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What shapes and paravirt share: cases are functions that boot and then look at
# what was said. Sourced. Each case ends as "ok", "not ok" with what was wrong,
# or "ok … # SKIP why"; $passed, $failed and $skipped count them.

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
: "${BUILD:=build}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0 problems=() why_not=''

# boot CMDLINE-RUN VARIABLE=VALUE…: its transcript is $work/out, its status
# $status. run=tour goes the way a person would, suites are judged by their
# KTAP. Under TCG unless it says otherwise, so that every host has the same.
boot() {
	local run=$1 script=run
	shift
	[ "$run" = tour ] || script=guest
	status=0
	env -u APPEND -u QEMU_ARGS -u DISK ACCEL=tcg TIMEOUT=240 ROW=shape \
		S="$run" BUILD="$BUILD" "$@" "$here/$script" </dev/null \
		>"$work/out" 2>"$work/err" || status=$?
	sed -i 's/\r$//' "$work/out"
	[ "$script" = run ] || cat "$BUILD/shape.log" >>"$work/out"
}

ends() {
	[ "$status" = "$1" ] || problems+=("${2:+$2: }status $status, not $1")
}

says() {
	grep -qaE -- "$1" "$work/out" || problems+=("it never said: $1")
}

never_says() {
	! grep -qaE -- "$1" "$work/out" || problems+=("it said: $1")
}

# The case does not apply to this host; return after it.
skip() {
	why_not=$*
}

judge() {
	problems=() why_not=''
	"$1"
	if [ ${#problems[@]} != 0 ]; then
		failed=$((failed + 1))
		echo "not ok $1: ${problems[0]}"
		printf '\t%s\n' "${problems[@]:1}"
		tail -n 12 "$work/out" "$work/err" | sed 's/^/\t/'
	elif [ -n "$why_not" ]; then
		skipped=$((skipped + 1))
		echo "ok $1 # SKIP $why_not"
	else
		passed=$((passed + 1))
		echo "ok $1"
	fi
}

# The last line, and the status: 0 when something passed and nothing failed.
judged() {
	echo "$passed passed, $failed failed$(
		[ "$skipped" = 0 ] || echo ", $skipped skipped")"
	[ "$failed" = 0 ] && [ "$passed" != 0 ]
}
