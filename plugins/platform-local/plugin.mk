# The object part reads manifests and keeps records.
CORE_platform-local := api template state
LDLIBS_platform-local := -lyaml

# The supervisor is a program of its own: the plugin lives in a process with threads and secrets, which must not fork.
LOCAL_SUPERVISOR := $(O)/plugins/platform-local-supervisor
LOCAL_SUPERVISOR_OBJECTS := $(patsubst %.c,$(O)/obj/%.o,$(wildcard plugins/platform-local/supervisor/*.c)) \
	$(patsubst %,$(O)/obj/plugins/platform-local/%.o,message processes folder)
PLUGIN_EXTRAS += $(LOCAL_SUPERVISOR)

$(LOCAL_SUPERVISOR): $(LOCAL_SUPERVISOR_OBJECTS) $(O)/lib/core-base.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LINK  $@')
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ -Wl,--as-needed -lcrypto -lm

# The tests run the real plugin with the real supervisor.
$(patsubst plugins/%.c,$(O)/tests/plugins/%,$(wildcard plugins/platform-local/tests/test_*.c)): \
	$(O)/plugins/platform-local.so $(LOCAL_SUPERVISOR)
