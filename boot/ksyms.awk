# SPDX-License-Identifier: MIT
# "nm -n" of the linked kernel to the symbol table of core/panic.c.
BEGIN { n = 0 }
function hex(s,    i, n) {
	n = 0
	for (i = 1; i <= length(s); i++)
		n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
	return n
}
$3 == "image_text_start" { base = hex(substr($1, 9)) }
$2 ~ /^[tT]$/ && $3 !~ /^image_/ && $1 ~ /^ffffffff/ {
	off[n] = hex(substr($1, 9))
	name[n++] = $3
}
END {
	print "\t.section .ksyms, \"a\"\n\t.balign 4"
	print "\t.globl ksyms_count, ksyms_offset, ksyms_name, ksyms_names"
	print "ksyms_count:\t.long", n + 0
	print "ksyms_offset:"
	for (i = 0; i < n; i++) print "\t.long", off[i] - base
	print "ksyms_name:"
	for (i = pos = 0; i < n; i++) { print "\t.long", pos; pos += length(name[i]) + 1 }
	print "ksyms_names:"
	for (i = 0; i < n; i++) print "\t.asciz \"" name[i] "\""
	print "\t.section .note.GNU-stack, \"\", @progbits"
}
