# The native programs: C11, static-pie, musl. Included by the top Makefile.
# NATIVE_OUT is build/<uname -m>/, the place that adapters/places.ts looks in.
#
# ARCH=arm64|armhf builds for that side on another machine: Debian's cross compiler, and musl, zlib, zstd and the
# kernel's headers from Debian's packages of that side, unpacked below SYSROOT. Without ARCH: this machine.

ARCH       ?=
HOST       := $(shell uname -m)
ifeq ($(ARCH),)
MACHINE    := $(HOST)
else ifeq ($(ARCH),arm64)
MACHINE    := aarch64
NODE_ARCH  := arm64
TRIPLE     := aarch64-linux-gnu
else ifeq ($(ARCH),armhf)
MACHINE    := armv7l
NODE_ARCH  := arm
TRIPLE     := arm-linux-gnueabihf
else
$(error ARCH is arm64, armhf or nothing, not '$(ARCH)')
endif
# On a machine of the very side that ARCH names nothing is crossed.
ifneq ($(MACHINE),$(HOST))
CROSS      := $(TRIPLE)-
SYSROOT    := build/cross/$(ARCH)
STAGE      := $(SYSROOT)/include
else
CROSS      :=
SYSROOT    :=
STAGE      := build/include
endif
MULTIARCH  := $(if $(CROSS),$(TRIPLE),$(shell gcc -print-multiarch 2>/dev/null))
MUSL_ARCH  := $(subst -gnu,-musl,$(MULTIARCH))
NATIVE_OUT := build/$(MACHINE)
OBJ        := $(NATIVE_OUT)/obj
MUSL       := $(SYSROOT)/usr/lib/$(MUSL_ARCH)
LIBGCC     := $(dir $(shell $(CROSS)gcc -print-libgcc-file-name 2>/dev/null))
GEN        := build/gen/$(MACHINE)
WERROR     ?= -Werror
# What Debian's musl-gcc does by its specs file, whose paths are those of the machine itself.
MUSL_CC    := $(if $(CROSS),$(CROSS)gcc -nostdinc -isystem $(SYSROOT)/usr/include/$(MUSL_ARCH) -isystem $(LIBGCC)include,musl-gcc)

# -idirafter: the kernel's and zstd's headers are staged apart, since /usr/include would bring in glibc's.
WARN := -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wformat=2 \
        -Wundef -Wvla -Wswitch-enum -Wnull-dereference -Wcast-align -Wwrite-strings
CFLAGS_NATIVE := -std=c11 -D_GNU_SOURCE -O2 -g -fPIE -fstack-protector-strong -ffunction-sections \
        -fdata-sections $(WARN) -Inative -I$(GEN) -idirafter $(STAGE)
# --no-dynamic-linker: gcc for 32-bit ARM names one in a static-pie too.
LDFLAGS_NATIVE := -static-pie -nostdlib -nostartfiles -Wl,--no-dynamic-linker,-z,text,-z,relro,-z,now,--gc-sections

LIB_wherry-layer := $(SYSROOT)/usr/lib/$(MULTIARCH)/libz.a $(SYSROOT)/usr/lib/$(MULTIARCH)/libzstd.a

PROGRAMS := wherry-run wherry-keep wherry-layer wherry-init
SHARED   := $(wildcard native/shared/*.c)
objects   = $(patsubst native/%.c,$(OBJ)/%.o,$(SHARED) $(wildcard native/$(patsubst wherry-%,%,$(1))/*.c))

.PHONY: native
native: $(addprefix $(NATIVE_OUT)/,$(PROGRAMS))

ifneq ($(CROSS),)
$(SYSROOT)/.unpacked: native/foreign-debs.sh
	@command -v $(CROSS)gcc >/dev/null || { echo "native: $(CROSS)gcc is missing: make setup-lab" >&2; exit 1; }
	@mkdir -p $(SYSROOT)
	@set -e; debs=$$(native/foreign-debs.sh $(ARCH) build/cross/apt-$(ARCH) alone \
	    linux-libc-dev musl-dev libzstd-dev zlib1g-dev); for deb in $$debs; do dpkg-deb -x $$deb $(SYSROOT); done
	@touch $@

$(STAGE)/.staged: $(SYSROOT)/.unpacked

# sqlite3's addon; npm made the one of this machine itself.
native: $(NATIVE_OUT)/node_sqlite3.node
$(NATIVE_OUT)/node_sqlite3.node: package-lock.json native/addon.sh
	@mkdir -p $(@D)
	@native/addon.sh $(NODE_ARCH) $(TRIPLE) $(SYSROOT)/sqlite3 $@
endif

$(STAGE)/.staged:
	@mkdir -p $(STAGE)
	@cp -r $(SYSROOT)/usr/include/linux $(SYSROOT)/usr/include/asm-generic $(STAGE)/
	@cp -r $(SYSROOT)/usr/include/$(MULTIARCH)/asm $(STAGE)/
	@cp $(addprefix $(SYSROOT)/usr/include/,zlib.h zstd.h zstd_errors.h) $(STAGE)/
	@cp $(SYSROOT)/usr/include/$(MULTIARCH)/zconf.h $(STAGE)/ 2>/dev/null || cp $(SYSROOT)/usr/include/zconf.h $(STAGE)/
	@touch $@

# The numbers of the system calls, by name; of x86-64 also those of its 32-bit programs.
# The header may compute a number (ARM): the C compiler evaluates it, so the table holds the macro.
$(GEN)/syscalls.h: $(STAGE)/.staged native/native.mk
	@mkdir -p $(@D)
	@echo '#include <asm/unistd.h>' | $(CROSS)gcc -E -dM -nostdinc -I$(STAGE) - | \
	    sed -n 's/^#define __NR_\([a-z_][a-z0-9_]*\) .*/{"\1", __NR_\1},/p' | \
	    grep -v -e '"syscalls"' -e '"arch_specific_syscall"' | LC_ALL=C sort > $@
$(GEN)/syscalls-compat.h: $(STAGE)/.staged native/native.mk
	@mkdir -p $(@D)
	@cat $(STAGE)/asm/unistd_32.h 2>/dev/null | \
	    sed -n 's/^#define __NR_\([a-z_][a-z0-9_]*\) \([0-9]*\)$$/{"\1", \2},/p' | LC_ALL=C sort > $@
$(OBJ)/run/seccomp_table.o: $(GEN)/syscalls.h $(GEN)/syscalls-compat.h

$(OBJ)/%.o: native/%.c $(STAGE)/.staged
	@mkdir -p $(@D)
	@$(MUSL_CC) $(CFLAGS_NATIVE) -MMD -MP -c $< -o $@

define program
$(NATIVE_OUT)/$(1): $$(call objects,$(1))
	@$(CROSS)gcc $(LDFLAGS_NATIVE) $(MUSL)/rcrt1.o $(MUSL)/crti.o $(LIBGCC)crtbeginS.o $$^ $$(LIB_$(1)) \
	    $(MUSL)/libc.a $(LIBGCC)libgcc.a $(MUSL)/libc.a $(LIBGCC)crtendS.o $(MUSL)/crtn.o -o $$@.debug
	@$(CROSS)objcopy --strip-all $$@.debug $$@
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
