# Plugins for the tests alone, in $(O)/tests/plugins-so/. Each is one file tests/plugins/<kind>-<name>.c, but for
#   compress-rle      the example of docs/plugin-abi.md, taken out of the page
#   compress-bad-*    bad.c, each time with one other thing wrong that a loader must notice
# Those that go wrong while they run are in faulty/.
TEST_PLUGIN_DIR := $(O)/tests/plugins-so
BAD_PLUGINS := none major minor small features kind other-kind name name-chars version origin-utf8 init-null \
	init-silent no-symbol param-size param-count param-table param-key param-key-chars param-key-null param-key-long \
	param-choices-null param-twice param-type param-flags param-bounds param-description param-description-utf8 \
	param-default-utf8 param-default param-default-bounds param-choices param-secret-default param-repeated \
	no-operations operations-small operations-major operation-missing
TEST_PLUGINS := $(patsubst tests/plugins/%.c,$(TEST_PLUGIN_DIR)/%.so,$(filter-out %/bad.c,$(wildcard tests/plugins/*.c))) \
	$(TEST_PLUGIN_DIR)/compress-rle.so $(BAD_PLUGINS:%=$(TEST_PLUGIN_DIR)/compress-bad-%.so)

TEST_PLUGIN_CC = $(CC) $(CFLAGS_ALL) -I$(TEST_PLUGIN_DIR) -shared $(LDFLAGS_ALL) -Wl,--version-script=plugins/plugin.map

$(TEST_PLUGIN_DIR)/compress-rle.c: docs/plugin-abi.md tests/plugins/extract-example
	@mkdir -p $(@D)
	$(Q)tests/plugins/extract-example docs/plugin-abi.md $(@F) > $@

$(TEST_PLUGIN_DIR)/compress-rle.so: $(TEST_PLUGIN_DIR)/compress-rle.c
	$(if $(V),,@echo '  SO    $@')
	$(Q)$(TEST_PLUGIN_CC) -o $@ $<

$(TEST_PLUGIN_DIR)/compress-bad-%.so: tests/plugins/bad.c
	@mkdir -p $(@D)
	$(Q)$(TEST_PLUGIN_CC) -DBAD='"$*"' $(if $(filter no-symbol,$*),-Dbo_plugin_init=another_symbol) -o $@ $<

$(TEST_PLUGIN_DIR)/%.so: tests/plugins/%.c $(TEST_PLUGIN_DIR)/compress-rle.c tests/plugins/platform-example.c
	$(if $(V),,@echo '  SO    $@')
	$(Q)$(TEST_PLUGIN_CC) -o $@ $<

.PHONY: test-plugins
test-plugins: $(TEST_PLUGINS)
unit-tests: $(TEST_PLUGINS)

-include $(wildcard $(TEST_PLUGIN_DIR)/*.d)
