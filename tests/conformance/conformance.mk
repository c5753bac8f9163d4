# The plugins of tests/conformance/broken/, each wrong in exactly one way, in $(O)/tests/conformance/<rule>/. One file,
# named after the rule that it breaks (sto_014.c), overrides a function of the good plugin of its folder. <kind>_none
# is the good plugin itself. A plugin that is wrong as a file gets what makes it so by BROKEN_LDFLAGS_<rule>.
BROKEN_DIR := $(O)/tests/conformance
BROKEN_SOURCES := $(filter-out %/good.c,$(wildcard tests/conformance/broken/*/*.c))
BROKEN_KIND_transform := crypt
BROKEN_KIND_storage := storage
BROKEN_KIND_platform := platform

BROKEN_MAP := -Wl,--version-script=plugins/plugin.map
BROKEN_LDFLAGS_sta_003 := -Wl,-rpath,/home/builder/lib
BROKEN_LDFLAGS_sta_004 := -Wl,-z,execstack

define BROKEN_RULE
BROKEN_PLUGINS += $(BROKEN_DIR)/$(2)/$(BROKEN_KIND_$(1))-$(if $(filter sta_006,$(2)),misnamed,good).so
$(BROKEN_DIR)/$(2)/$(BROKEN_KIND_$(1))-$(if $(filter sta_006,$(2)),misnamed,good).so: \
		$(O)/obj/tests/conformance/broken/$(1)/$(2).o $(O)/obj/tests/conformance/broken/$(1)/good.o
	@mkdir -p $$(@D)
	$(if $(V),,@echo '  SO    $$@')
	$(Q)$(CC) -shared $(LDFLAGS_ALL) $(if $(filter sta_001,$(2)),,$(BROKEN_MAP)) -o $$@ $$^ $(BROKEN_LDFLAGS_$(2))
endef
$(foreach s,$(BROKEN_SOURCES),$(eval $(call BROKEN_RULE,$(notdir $(patsubst %/,%,$(dir $(s)))),$(notdir $(s:.c=)))))

.PHONY: broken-plugins
broken-plugins: $(BROKEN_PLUGINS)
unit-tests: $(BROKEN_PLUGINS)
