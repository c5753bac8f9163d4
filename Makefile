# backup-operator: build, test, install. `make help` lists the targets.
#
# Everything is built outside the sources: programs in $(O)/bin, plugins in $(O)/plugins.
#   O=DIR                   where to build (default: build, or build/<sanitizers>)
#   CC=clang                another compiler
#   SAN=address,undefined   with sanitizers; also SAN=thread
#   V=1                     show the commands
#   DESTDIR=, PREFIX=       for `make install`

SAN ?=
comma := ,
O ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
ifeq ($(origin CC),default)
CC := gcc
endif
V ?=
Q := $(if $(V),,@)
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/libexec
PLUGINDIR ?= $(LIBDIR)/backup-operator/plugins
VERSION := $(shell cat VERSION)

WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef \
	-Wwrite-strings -Wformat=2 -Werror
OPTIMIZE ?= -O2
CFLAGS_ALL := -std=c11 -D_GNU_SOURCE -g $(OPTIMIZE) $(WARNINGS) -fPIC -fvisibility=hidden -fno-strict-aliasing \
	-fstack-protector-strong -Iinclude -I. -pthread -MMD -MP \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer,-D_FORTIFY_SOURCE=2) $(CFLAGS)
LDFLAGS_ALL := -pthread $(if $(SAN),-fsanitize=$(SAN)) -Wl,-z,relro,-z,now -Wl,-z,noexecstack $(LDFLAGS)

# ---- the core: one static library for each folder; a folder may use those that it names here, and no others
DEPS_base :=
DEPS_template := base
DEPS_api := template base
DEPS_state := base
DEPS_plugin := base
DEPS_pipeline := plugin base
DEPS_run := pipeline plugin base
MODULES := $(notdir $(patsubst %/,%,$(dir $(wildcard core/*/*.c))))
MODULES := $(sort $(MODULES))

core_objects = $(patsubst %.c,$(O)/obj/%.o,$(wildcard core/$(1)/*.c))
core_libs = $(patsubst %,$(O)/lib/core-%.a,$(1) $(DEPS_$(1)))

define MODULE_RULE
$(O)/lib/core-$(1).a: $(call core_objects,$(1))
endef
$(foreach m,$(MODULES),$(eval $(call MODULE_RULE,$(m))))

CORE_LDLIBS := -lcjson -lyaml -lcrypto -ldl -lm

# ---- programs
PROGRAMS := $(patsubst programs/%.c,%,$(wildcard programs/*.c))
USES_backup-runner := run
USES_backupctl := run api state
USES_plugin-conformance := plugin

# ---- plugins: each folder plugins/<kind>-<name>/ is one .so; its plugin.mk may set LDLIBS_<kind>-<name>,
#      and add rules. A plugin may use core/base, and of the rest of the core what its CORE_<kind>-<name> names.
PLUGINS := $(notdir $(patsubst %/,%,$(sort $(dir $(wildcard plugins/*/*.c)))))
plugin_objects = $(patsubst %.c,$(O)/obj/%.o,$(wildcard plugins/$(1)/*.c))
plugin_libs = $(sort $(O)/lib/core-base.a $(foreach m,$(CORE_$(1)),$(call core_libs,$(m))))
PLUGIN_FILES := $(PLUGINS:%=$(O)/plugins/%.so)
PLUGIN_EXTRAS :=

# ---- unit tests: tests/unit/<module>/test_*.c links that module; plugins/<plugin>/tests/test_*.c links that plugin
UNIT_SOURCES := $(wildcard tests/unit/*/test_*.c)
PLUGIN_TEST_SOURCES := $(wildcard plugins/*/tests/test_*.c)
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(O)/tests/unit/%) $(PLUGIN_TEST_SOURCES:plugins/%.c=$(O)/tests/plugins/%)

.DEFAULT_GOAL := all
.PHONY: all help
all: $(PROGRAMS:%=$(O)/bin/%) $(PLUGIN_FILES) extras

help:
	@echo 'make all          build programs and plugins into $(O)/'
	@echo 'make quickstart   install what is missing, build, and show a real backup and restore'
	@echo 'make check        install what is missing and run every test'
	@echo 'make check-unit   unit tests only: no network, under a minute'
	@echo 'make deps         install the Debian packages that build and tests need (as root)'
	@echo 'make install      into $$(DESTDIR)$(PREFIX)'
	@echo 'make lint fuzz bench clean'

include $(wildcard plugins/*/plugin.mk)
include $(wildcard tests/fuzz/fuzz.mk)

.PHONY: extras
extras: $(PLUGIN_EXTRAS)

$(O)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC    $<')
	$(Q)$(CC) $(CFLAGS_ALL) -DBO_VERSION='"$(VERSION)"' -DBO_PLUGIN_DIR='"$(PLUGINDIR)"' \
		-DBO_LIBEXEC_DIR='"$(LIBEXECDIR)"' -c $< -o $@

$(O)/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcs $@ $^

define PROGRAM_RULE
$(O)/bin/$(1): $(O)/obj/programs/$(1).o $(patsubst programs/%.c,$(O)/obj/programs/%.o,$(wildcard programs/$(1)/*.c)) \
		$(foreach m,$(USES_$(1)),$(call core_libs,$(m)))
	@mkdir -p $$(@D)
	$(if $(V),,@echo '  LINK  $$@')
	$(Q)$(CC) $(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(sort $$(filter %.a,$$^)) -Wl,--end-group $(CORE_LDLIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM_RULE,$(p))))

define PLUGIN_RULE
$(O)/plugins/$(1).so: $(call plugin_objects,$(1)) $(call plugin_libs,$(1)) plugins/plugin.map
	@mkdir -p $$(@D)
	$(if $(V),,@echo '  SO    $$@')
	$(Q)$(CC) -shared $(LDFLAGS_ALL) -Wl,--version-script=plugins/plugin.map $(if $(SAN),,-Wl,-z,defs) \
		-o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(LDLIBS_$(1)) \
		$(CORE_LDLIBS_PLUGIN)
endef
CORE_LDLIBS_PLUGIN := -Wl,--as-needed -lcjson -lcrypto -lm
$(foreach p,$(PLUGINS),$(eval $(call PLUGIN_RULE,$(p))))

# ---- tests
include tests/plugins/plugins.mk tests/plugins/faulty/faulty.mk $(wildcard tests/conformance/conformance.mk)
CHECK_LDLIBS := $(shell pkg-config --libs check 2>/dev/null || echo -lcheck)

define UNIT_RULE
$(O)/tests/unit/$(1): $(O)/obj/tests/unit/$(1).o $(call core_libs,$(patsubst %/,%,$(dir $(1))))
	@mkdir -p $$(@D)
	$(if $(V),,@echo '  LINK  $$@')
	$(Q)$(CC) $(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
		$(CHECK_LDLIBS) $(CORE_LDLIBS)
endef
$(foreach t,$(UNIT_SOURCES:tests/unit/%.c=%),$(eval $(call UNIT_RULE,$(t))))

define PLUGIN_TEST_RULE
$(O)/tests/plugins/$(1): $(O)/obj/plugins/$(1).o $(call plugin_objects,$(firstword $(subst /, ,$(1)))) \
		$(sort $(call plugin_libs,$(firstword $(subst /, ,$(1)))) $(call core_libs,plugin))
	@mkdir -p $$(@D)
	$(if $(V),,@echo '  LINK  $$@')
	$(Q)$(CC) $(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
		$(LDLIBS_$(firstword $(subst /, ,$(1)))) $(CHECK_LDLIBS) $(CORE_LDLIBS)
endef
$(foreach t,$(PLUGIN_TEST_SOURCES:plugins/%.c=%),$(eval $(call PLUGIN_TEST_RULE,$(t))))

.PHONY: unit-tests check check-unit deps quickstart bench lint format clean install
unit-tests: $(UNIT_TESTS) all

check-unit: unit-tests
	BUILD=$(abspath $(O)) tests/run $(UNIT_TESTS)

check: deps
	tests/check

deps:
	scripts/install-dependencies

quickstart: deps
	$(MAKE) all
	scripts/quickstart

bench: all
	BUILD=$(abspath $(O)) bench/run

LINT_SOURCES = $(wildcard core/*/*.c programs/*.c programs/*/*.c plugins/*/*.c plugins/*/*/*.c)
lint:
	@printf '%s\n' $(filter-out $(wildcard plugins/*/tests/*.c),$(LINT_SOURCES)) | xargs -P $(shell nproc) -n 8 sh -c \
		'clang-tidy --quiet "$$@" -- -std=c11 -D_GNU_SOURCE -Iinclude -I. -DBO_VERSION=\"x\" \
		-DBO_PLUGIN_DIR=\"x\" -DBO_LIBEXEC_DIR=\"x\"' lint

format:
	clang-format -i $(wildcard core/*/*.[ch] programs/*.[ch] programs/*/*.[ch] plugins/*/*.[ch] \
		plugins/*/*/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch] tests/*/*/*/*.[ch])

clean:
	rm -rf $(O)

# ---- install: programs, plugins, man pages, and what the author of a plugin needs: headers and backup-operator.pc
BINDIR ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
ABI = $(shell awk '/^.define BO_ABI_M/ { printf "%s%s", dot, $$3; dot = "." }' include/backup-operator/abi.h)

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(PLUGINDIR) $(DESTDIR)$(INCLUDEDIR)/backup-operator \
		$(DESTDIR)$(LIBDIR)/pkgconfig
	install $(PROGRAMS:%=$(O)/bin/%) $(DESTDIR)$(BINDIR)
	ln -sf backupctl $(DESTDIR)$(BINDIR)/kubectl-backup
	install $(PLUGIN_FILES) $(PLUGIN_EXTRAS) $(DESTDIR)$(PLUGINDIR)
	install -m 644 include/backup-operator/*.h $(DESTDIR)$(INCLUDEDIR)/backup-operator
	sed -e 's,@PREFIX@,$(PREFIX),' -e 's,@LIBDIR@,$(LIBDIR),' -e 's,@PLUGINDIR@,$(PLUGINDIR),' -e 's,@ABI@,$(ABI),' \
		-e 's,@VERSION@,$(VERSION),' -e 's,@INCLUDEDIR@,$(INCLUDEDIR),' \
		backup-operator.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/backup-operator.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/backup-operator.pc
	for page in $(wildcard docs/man/*.[1-8]); do \
		install -D -m 644 -t $(DESTDIR)$(MANDIR)/man$${page##*.} $$page || exit; done

# The loader knows the installed folder: made again when that changes.
$(O)/obj/core/plugin/loader.o: $(O)/plugindir
$(O)/plugindir: force
	@mkdir -p $(@D)
	@echo '$(PLUGINDIR)' | cmp -s - $@ || echo '$(PLUGINDIR)' > $@
.PHONY: force

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
