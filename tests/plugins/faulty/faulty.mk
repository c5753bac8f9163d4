# storage-faulty and compress-faulty in $(O)/tests/plugins-so/: a real plugin, wrapped, that goes wrong on purpose while
# it runs. What is inside is the real plugin's objects, its init function under another name.
FAULTY_DIR := $(O)/tests/plugins-so
FAULTY_PLUGINS := $(FAULTY_DIR)/storage-faulty.so $(FAULTY_DIR)/compress-faulty.so

define FAULTY_RULE
$(O)/obj/tests/plugins/faulty/wrapped-$(1).o: plugins/$(1)/$(2).c
	@mkdir -p $$(@D)
	$(if $(V),,@echo '  CC    $$< (wrapped)')
	$(Q)$(CC) $(CFLAGS_ALL) -DBO_VERSION='"$(VERSION)"' -Dbo_plugin_init=wrapped_plugin_init -c $$< -o $$@

$(FAULTY_DIR)/$(3).so: $(O)/obj/tests/plugins/faulty/$(3).o $(O)/obj/tests/plugins/faulty/wrapped-$(1).o \
		$(filter-out %/$(2).o,$(call plugin_objects,$(1))) $(O)/lib/core-base.a plugins/plugin.map
	@mkdir -p $$(@D)
	$(if $(V),,@echo '  SO    $$@')
	$(Q)$(CC) -shared $(LDFLAGS_ALL) -Wl,--version-script=plugins/plugin.map $(if $(SAN),,-Wl,-z,defs) \
		-o $$@ $$(filter %.o,$$^) $(O)/lib/core-base.a $(LDLIBS_$(1)) $(CORE_LDLIBS_PLUGIN)
endef
$(eval $(call FAULTY_RULE,storage-file,file,storage-faulty))
$(eval $(call FAULTY_RULE,compress-gzip,gzip,compress-faulty))

.PHONY: faulty-plugins
faulty-plugins: $(FAULTY_PLUGINS)
unit-tests: $(FAULTY_PLUGINS)
