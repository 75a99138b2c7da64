# The native programs: C11, static-pie, musl. Included by the top Makefile.
# NATIVE_OUT is build/<uname -m>/, the place that adapters/places.ts looks in.

MACHINE    := $(shell uname -m)
MULTIARCH  := $(shell gcc -print-multiarch 2>/dev/null)
NATIVE_OUT := build/$(MACHINE)
OBJ        := $(NATIVE_OUT)/obj
STAGE      := build/include
MUSL       := /usr/lib/$(subst -gnu,-musl,$(MULTIARCH))
LIBGCC     := $(dir $(shell gcc -print-libgcc-file-name 2>/dev/null))
GEN        := build/gen/$(MACHINE)
WERROR     ?= -Werror

# -idirafter: the kernel's and zstd's headers are staged apart, since /usr/include would bring in glibc's.
WARN := -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wformat=2 \
        -Wundef -Wvla -Wswitch-enum -Wnull-dereference -Wcast-align -Wwrite-strings
CFLAGS_NATIVE := -std=c11 -D_GNU_SOURCE -O2 -g -fPIE -fstack-protector-strong -ffunction-sections \
        -fdata-sections $(WARN) -Inative -I$(GEN) -idirafter $(STAGE)
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

# The numbers of the system calls, by name; of x86-64 also those of its 32-bit programs.
# The header may compute a number (ARM): the C compiler evaluates it, so the table holds the macro.
$(GEN)/syscalls.h: $(STAGE)/.staged native/native.mk
	@mkdir -p $(@D)
	@echo '#include <asm/unistd.h>' | gcc -E -dM -nostdinc -I$(STAGE) - | \
	    sed -n 's/^#define __NR_\([a-z_][a-z0-9_]*\) .*/{"\1", __NR_\1},/p' | \
	    grep -v -e '"syscalls"' -e '"arch_specific_syscall"' | LC_ALL=C sort > $@
$(GEN)/syscalls-compat.h: $(STAGE)/.staged native/native.mk
	@mkdir -p $(@D)
	@cat $(STAGE)/asm/unistd_32.h 2>/dev/null | \
	    sed -n 's/^#define __NR_\([a-z_][a-z0-9_]*\) \([0-9]*\)$$/{"\1", \2},/p' | LC_ALL=C sort > $@
$(OBJ)/run/seccomp_table.o: $(GEN)/syscalls.h $(GEN)/syscalls-compat.h

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

# wherry-run as it behaves on a kernel before 5.2 (no new mount calls, openat2, pidfd): run the tests of
# test/native with WHERRY_NATIVE=build/old to see every fall-back work.
.PHONY: native-old
native-old:
	@$(MAKE) -s -f native/native.mk NATIVE_OUT=build/old \
	    WERROR="-Wno-unused-parameter -DRUN_OLD_KERNEL -DPATH_NO_OPENAT2" build/old/wherry-run

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
