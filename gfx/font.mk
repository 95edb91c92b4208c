# The fonts are Debian's own (package console-setup-linux), unpacked at build
# time and embedded by gfx/font.S, in the kernel and in the host library alike.

FONTDIR	?= /usr/share/consolefonts
FONTS	:= regular bold large

FONT_regular := Lat15-Terminus16
FONT_bold    := Lat15-TerminusBold16
FONT_large   := Lat15-TerminusBold32x16

FONTPSF	:= $(FONTS:%=$(BUILD)/font/%.psf)

$(FONTPSF): $(BUILD)/font/%.psf: gfx/font.mk
	@mkdir -p $(@D)
	@test -r $(FONTDIR)/$(FONT_$*).psf.gz || { echo "gfx/font.mk: no\
	 $(FONTDIR)/$(FONT_$*).psf.gz: install console-setup-linux (make deps)" >&2; \
	 exit 1; }
	$(Q)gzip -dc $(FONTDIR)/$(FONT_$*).psf.gz > $@.new && mv $@.new $@

$(BUILD)/k/gfx/font.o: $(FONTPSF)
$(BUILD)/k/gfx/font.o: KASFLAGS += -Wa,-I$(BUILD)

$(BUILD)/h/gfx/font.o: gfx/font.S $(FONTPSF)
	@mkdir -p $(@D)
	$(Q)$(CC) -g -Wa,-I$(BUILD) -c -o $@ $<

$(BUILD)/h/liblodger.a: $(BUILD)/h/gfx/font.o
