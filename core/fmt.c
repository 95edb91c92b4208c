/* SPDX-License-Identifier: MIT */
/*
 * A conversion is parsed into a struct fmt_spec; what it prints always is: blanks,
 * sign or 0x, zeroes, digits (or text), blanks. fmt_field() lays these five out.
 */
#include "core/fmt.h"

#include "core/errno.h"
#include "core/string.h"

struct fmt_out {
	char *buf;
	size_t size;			/* bytes in buf, the NUL included */
	size_t len;			/* of the whole text so far */
};

struct fmt_spec {
	bool left, zero, plus, blank, alt;
	int width;
	int precision;			/* -1: none */
	unsigned bytes;			/* of an integer argument */
	char conv;
};

static void fmt_put(struct fmt_out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void fmt_fill(struct fmt_out *o, char c, int n)
{
	while (n-- > 0)
		fmt_put(o, c);
}

static void fmt_write(struct fmt_out *o, const char *s, size_t len)
{
	while (len--)
		fmt_put(o, *s++);
}

static void fmt_field(struct fmt_out *o, const struct fmt_spec *f,
		      const char *prefix, int zeroes, const char *s, int len)
{
	int npre = strlen(prefix);
	int pad = f->width - npre - zeroes - len;

	if (!f->left)
		fmt_fill(o, ' ', pad);
	fmt_write(o, prefix, npre);
	fmt_fill(o, '0', zeroes);
	fmt_write(o, s, len);
	if (f->left)
		fmt_fill(o, ' ', pad);
}

/* Digits of val, right-aligned so that they end at end; returns the first. */
static char *fmt_digits(char *end, uint64_t val, unsigned base, bool upper)
{
	const char *digit = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	for (; val; val /= base)
		*--end = digit[val % base];
	return end;
}

static void fmt_number(struct fmt_out *o, const struct fmt_spec *f,
		       uint64_t val, unsigned base, const char *prefix)
{
	char buf[20], *end = buf + sizeof(buf);
	char *s = fmt_digits(end, val, base, f->conv == 'X');
	int len = end - s;
	int least = f->precision < 0 ? 1 : f->precision;

	if (f->precision < 0 && f->zero && !f->left)
		least = f->width - (int)strlen(prefix);
	if (f->precision < 0 && least < 1)
		least = 1;
	fmt_field(o, f, prefix, least > len ? least - len : 0, s, len);
}

static void fmt_signed(struct fmt_out *o, const struct fmt_spec *f, int64_t val)
{
	const char *sign = val < 0 ? "-" : f->plus ? "+" : f->blank ? " " : "";

	fmt_number(o, f, val < 0 ? -(uint64_t)val : (uint64_t)val, 10, sign);
}

static void fmt_hex(struct fmt_out *o, const struct fmt_spec *f, uint64_t val)
{
	const char *prefix = f->conv == 'X' ? "0X" : "0x";

	fmt_number(o, f, val, 16, f->alt && val ? prefix : "");
}

static void fmt_string(struct fmt_out *o, const struct fmt_spec *f,
		       const char *s)
{
	size_t max = f->precision < 0 ? SIZE_MAX : (size_t)f->precision;
	size_t len = 0;

	if (!s)
		s = "(null)";
	while (len < max && s[len])
		len++;
	fmt_field(o, f, "", 0, s, len);
}

static const char *fmt_parse_flags(const char *p, struct fmt_spec *f)
{
	for (;; p++) {
		switch (*p) {
		case '-': f->left = true; break;
		case '0': f->zero = true; break;
		case '+': f->plus = true; break;
		case ' ': f->blank = true; break;
		case '#': f->alt = true; break;
		default: return p;
		}
	}
}

/* A number or '*'; p stays where it is when there is neither. */
static const char *fmt_parse_int(const char *p, int *val, va_list *ap)
{
	if (*p == '*') {
		*val = va_arg(*ap, int);
		return p + 1;
	}
	for (*val = 0; *p >= '0' && *p <= '9'; p++)
		*val = *val < 100000 ? 10 * *val + (*p - '0') : *val;
	return p;
}

static const char *fmt_parse_length(const char *p, struct fmt_spec *f)
{
	f->bytes = sizeof(int);
	switch (*p) {
	case 'h':
		f->bytes = p[1] == 'h' ? sizeof(char) : sizeof(short);
		return p + (p[1] == 'h' ? 2 : 1);
	case 'l':
		f->bytes = sizeof(long);
		return p + (p[1] == 'l' ? 2 : 1);
	case 'z':
		f->bytes = sizeof(size_t);
		return p + 1;
	}
	return p;
}

/* p is behind the '%'. Returns where the conversion letter is. */
static const char *fmt_parse(const char *p, struct fmt_spec *f, va_list *ap)
{
	*f = (struct fmt_spec){ .precision = -1 };
	p = fmt_parse_flags(p, f);
	p = fmt_parse_int(p, &f->width, ap);
	if (f->width < 0) {
		f->left = true;
		f->width = -f->width;
	}
	if (*p == '.')
		p = fmt_parse_int(p + 1, &f->precision, ap);
	p = fmt_parse_length(p, f);
	f->conv = *p;
	return p;
}

static int64_t fmt_arg_signed(const struct fmt_spec *f, va_list *ap)
{
	switch (f->bytes) {
	case 8: return va_arg(*ap, int64_t);
	case 2: return (int16_t)va_arg(*ap, int);
	case 1: return (int8_t)va_arg(*ap, int);
	}
	return va_arg(*ap, int);
}

static uint64_t fmt_arg_unsigned(const struct fmt_spec *f, va_list *ap)
{
	switch (f->bytes) {
	case 8: return va_arg(*ap, uint64_t);
	case 2: return (uint16_t)va_arg(*ap, unsigned);
	case 1: return (uint8_t)va_arg(*ap, unsigned);
	}
	return va_arg(*ap, unsigned);
}

/* Returns false for a conversion that this subset does not have. */
static bool fmt_convert(struct fmt_out *o, struct fmt_spec *f, va_list *ap)
{
	char c;

	switch (f->conv) {
	case 'd':
	case 'i':
		fmt_signed(o, f, fmt_arg_signed(f, ap));
		return true;
	case 'u':
		fmt_number(o, f, fmt_arg_unsigned(f, ap), 10, "");
		return true;
	case 'x':
	case 'X':
		fmt_hex(o, f, fmt_arg_unsigned(f, ap));
		return true;
	case 'p':
		f->alt = true;
		fmt_hex(o, f, (uintptr_t)va_arg(*ap, void *));
		return true;
	case 'c':
		c = va_arg(*ap, int);
		fmt_field(o, f, "", 0, &c, 1);
		return true;
	case 's':
		fmt_string(o, f, va_arg(*ap, const char *));
		return true;
	case '%':
		fmt_put(o, '%');
		return true;
	}
	return false;
}

int fmt_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap_in)
{
	struct fmt_out o = { buf, size, 0 };
	struct fmt_spec f;
	const char *end;
	va_list ap;

	va_copy(ap, ap_in);
	while (*fmt) {
		if (*fmt != '%') {
			fmt_put(&o, *fmt++);
			continue;
		}
		end = fmt_parse(fmt + 1, &f, &ap);
		if (*end)
			end++;
		if (!fmt_convert(&o, &f, &ap))
			fmt_write(&o, fmt, end - fmt);
		fmt = end;
	}
	va_end(ap);
	if (size)
		buf[o.len < size ? o.len : size - 1] = '\0';
	return o.len;
}

int fmt_snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = fmt_vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return len;
}

static int fmt_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static unsigned fmt_suffix_shift(char c)
{
	switch (c) {
	case 'K': case 'k': return 10;
	case 'M': case 'm': return 20;
	case 'G': case 'g': return 30;
	}
	return 0;
}

int fmt_parse_u64(const char *s, bool suffix, uint64_t *val)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	unsigned base = hex ? 16 : 10, shift;
	uint64_t v = 0;
	const char *p = s += hex ? 2 : 0;

	for (; (unsigned)fmt_digit(*p) < base; p++)
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, fmt_digit(*p), &v))
			return -EOVERFLOW;
	if (p == s)
		return -EINVAL;
	shift = suffix ? fmt_suffix_shift(*p) : 0;
	if (shift)
		p++;
	if (*p)
		return -EINVAL;
	if (v << shift >> shift != v)
		return -EOVERFLOW;
	*val = v << shift;
	return 0;
}
