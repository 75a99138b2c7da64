# The native programs: C11, static-pie, musl. Included by the top Makefile.
# NATIVE_OUT is build/<uname -m>/, the place that adapters/places.ts looks in.

MACHINE    := $(shell uname -m)
MULTIARCH  := $(shell gcc -print-multiarch 2>/dev/null)
NATIVE_OUT := build/$(MACHINE)
OBJ        := $(NATIVE_OUT)/obj
STAGE      := build/include
MUSL       := /usr/lib/$(subst -gnu,-musl,$(MULTIARCH))
LIBGCC     := $(dir $(shell gcc -print-libgcc-file-name 2>/dev/null))
WERROR     ?= -Werror

# -idirafter: the kernel's and zstd's headers are staged apart, since /usr/include would bring in glibc's.
WARN := -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wformat=2 \
        -Wundef -Wvla -Wswitch-enum -Wnull-dereference -Wcast-align -Wwrite-strings
CFLAGS_NATIVE := -std=c11 -D_GNU_SOURCE -O2 -g -fPIE -fstack-protector-strong -ffunction-sections \
        -fdata-sections $(WARN) -Inative -idirafter $(STAGE)
LDFLAGS_NATIVE := -static-pie -nostdlib -nostartfiles -Wl,-z,relro,-z,now,--gc-sections

LIB_wherry-layer := /usr/lib/$(MULTIARCH)/libz.a /usr/lib/$(MULTIARCH)/libzstd.a

PROGRAMS := wherry-run wherry-keep wherry-layer
SHARED   := $(wildcard native/shared/*.c)
objects   = $(patsubst native/%.c,$(OBJ)/%.o,$(SHARED) $(wildcard native/$(patsubst wherry-%,%,$(1))/*.c))

.PHONY: native
native: $(addprefix $(NATIVE_OUT)/,$(PROGRAMS))

$(STAGE)/.staged:
	@mkdir -p $(STAGE)
	@cp -r /usr/include/linux /usr/include/asm-generic $(STAGE)/
	@cp -r /usr/include/$(MULTIARCH)/asm $(STAGE)/
	@cp /usr/include/zlib.h /usr/include/zstd.h /usr/include/zstd_errors.h $(STAGE)/
	@cp /usr/include/$(MULTIARCH)/zconf.h $(STAGE)/ 2>/dev/null || cp /usr/include/zconf.h $(STAGE)/
	@touch $@

$(OBJ)/%.o: native/%.c $(STAGE)/.staged
	@mkdir -p $(@D)
	@musl-gcc $(CFLAGS_NATIVE) -MMD -MP -c $< -o $@

define program
$(NATIVE_OUT)/$(1): $$(call objects,$(1))
	@gcc $(LDFLAGS_NATIVE) $(MUSL)/rcrt1.o $(MUSL)/crti.o $(LIBGCC)crtbeginS.o $$^ $$(LIB_$(1)) \
	    $(MUSL)/libc.a $(LIBGCC)libgcc.a $(MUSL)/libc.a $(LIBGCC)crtendS.o $(MUSL)/crtn.o -o $$@.debug
	@objcopy --strip-all $$@.debug $$@
	@echo "built $$@ ($$$$(stat -c %s $$@) bytes)"
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
