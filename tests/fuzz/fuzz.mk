# Fuzzing: `make fuzz` builds every tests/fuzz/fuzz_NAME.c with clang, libFuzzer, ASan and UBSan into $(O)/fuzz/, then
# runs each for FUZZ_SECONDS, from the inputs stored in tests/fuzz/corpus/NAME/. What it finds anew is kept in
# $(O)/fuzz/corpus/NAME/ for the next time, an input that fails in $(O)/fuzz/failures/NAME-*.
#
# A new target is its file and up to two lines below:
#   FUZZ_SOURCES_NAME   the .c files that it tests; core/base is always there
#   FUZZ_LDLIBS_NAME    the libraries they need, beside libcrypto and check
# `make fuzz FUZZ_ONLY=NAME` runs one. `$(O)/fuzz/fuzz_NAME FILE` repeats a single input.

FUZZ_SECONDS ?= 10
FUZZ_ONLY ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_CC ?= clang
FUZZ_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

FUZZ_SOURCES_age := $(wildcard plugins/crypt-age/*.c)
FUZZ_SOURCES_armor := $(FUZZ_SOURCES_age)
FUZZ_SOURCES_ssh_key := $(FUZZ_SOURCES_age)

FUZZ_SOURCES_gzip := $(wildcard plugins/compress-gzip/*.c)
FUZZ_LDLIBS_gzip := -lz

FUZZ_SOURCES_manifest := $(wildcard core/api/*.c core/template/*.c)
FUZZ_LDLIBS_manifest := -lyaml -lcjson

FUZZ_SOURCES_spec := core/run/spec.c core/run/owner.c core/run/result.c
FUZZ_LDLIBS_spec := -lcjson

FUZZ_SOURCES_template := $(wildcard core/template/*.c)

# ---- no need to read on to add one
# Without SAN= and -D_FORTIFY_SOURCE: these objects have sanitizers of their own.
FUZZ_CFLAGS = $(filter-out -D_FORTIFY_SOURCE=2,$(CFLAGS_ALL)) $(FUZZ_FLAGS) -DBO_VERSION='"$(VERSION)"' \
	-DBO_PLUGIN_DIR='"$(PLUGINDIR)"' -DBO_LIBEXEC_DIR='"$(LIBEXECDIR)"'

# -fsanitize=fuzzer-no-link instruments; only the program itself gets libFuzzer's main.
$(O)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo '  FUZZ  $<')
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -c $< -o $@

define FUZZ_RULE
$(O)/fuzz/fuzz_$(1): $(patsubst %.c,$(O)/fuzz/obj/%.o,tests/fuzz/fuzz_$(1).c $(sort $(FUZZ_SOURCES_$(1)) $(wildcard core/base/*.c)))
	@mkdir -p $$(@D)
	$(if $(V),,@echo '  LINK  $$@')
	$(Q)$(FUZZ_CC) -pthread $(FUZZ_FLAGS) -fsanitize=fuzzer -o $$@ $$^ $(FUZZ_LDLIBS_$(1)) $$(CHECK_LDLIBS) -lcrypto -lm
endef
$(foreach name,$(FUZZ_ONLY),$(eval $(call FUZZ_RULE,$(name))))

.PHONY: fuzz fuzz-build
fuzz-build: $(FUZZ_ONLY:%=$(O)/fuzz/fuzz_%)
fuzz: fuzz-build
	tests/fuzz/run $(O)/fuzz $(FUZZ_SECONDS) $(FUZZ_ONLY)

-include $(shell find $(O)/fuzz/obj -name '*.d' 2>/dev/null)
