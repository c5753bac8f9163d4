/* What is read of a pod template: names, environments, working folders; what is refused; what is merely ignored. */
#include "plugins/platform-local/container.h"

#include "tests/support/unit.h"

#define SECRET(variable, name, key, more) \
  "{\"name\":\"" variable "\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"" name "\",\"key\":\"" key "\"" more "}}}"
#define FIELD(variable, path) "{\"name\":\"" variable "\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"" path "\"}}}"
#define ENV(items) TEMPLATE("{\"name\":\"main\",\"env\":[" items "]}")
#define USER(context) TEMPLATE("{\"name\":\"main\",\"securityContext\":{" context "}}")
#define TEMPLATE(containers) "{\"metadata\":{},\"spec\":{\"containers\":[" containers "]}}"

static const struct bo_secret secrets[] = {
    {.name = "db/password", .bytes = (const unsigned char *)"canary$(A)$$", .size = 12},
    {.name = "db/binary", .bytes = (const unsigned char *)"canary\0x", .size = 8},
    {.name = "db/", .bytes = (const unsigned char *)"", .size = 0},
};
static const struct environment_source source = {"prod", "nightly", "4711", secrets, 3};

/* The environment as text, NULs shown as ';'. */
static void show(const char *bytes, size_t size, char *text, size_t capacity) {
  ck_assert_uint_lt(size, capacity);
  for (size_t i = 0; i < size; i++)
    text[i] = bytes[i] == '\0' ? ';' : bytes[i];
  text[size] = '\0';
}

START_TEST(environments_are_read) {
  static const struct {
    const char *env, *expected;
  } cases[] = {
      {"", ""},
      {"{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\"},{\"name\":\"C\",\"value\":\"x=y z\"}", "A=1;B=;C=x=y z;"},
      {"{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"AB\",\"value\":\"2\"},{\"name\":\"A\",\"value\":\"3\"}",
       "AB=2;A=3;"},
      {"{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\",\"value\":\"<$(A)$(A)>\"}", "A=1;B=<11>;"},
      {"{\"name\":\"B\",\"value\":\"$(A)\"},{\"name\":\"A\",\"value\":\"1\"}", "B=$(A);A=1;"},
      {"{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\",\"value\":\"$$(A) $A $( $(A $\"}", "A=1;B=$(A) $A $( $(A $;"},
      {"{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"A\",\"value\":\"$(A)2\"}", "A=12;"},
      /* A secret's value is taken as it is, and can be referred to. */
      {"{\"name\":\"A\",\"value\":\"1\"}," SECRET("P", "db", "password",
                                                  "") ",{\"name\":\"URL\",\"value\":\"x:$(P)@\"}",
       "A=1;P=canary$(A)$$;URL=x:canary$(A)$$@;"},
      {SECRET("P", "db", "absent", ",\"optional\":true") ",{\"name\":\"B\",\"value\":\"$(P)\"}", "B=$(P);"},
      {FIELD("N", "metadata.name") "," FIELD("S", "metadata.namespace") "," FIELD("U", "metadata.uid"),
       "N=nightly;S=prod;U=4711;"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char json[1024], text[256];
    struct containers containers;
    struct bo_error error = BO_ERROR_INIT;
    BO_CLEANUP_BUFFER struct bo_buffer ignored = BO_BUFFER_INIT;
    (void)snprintf(json, sizeof(json), TEMPLATE("{\"name\":\"main\",\"env\":[%s]}"), cases[i].env);
    ck_assert_msg(containers_read(json, &source, &containers, &ignored, &error) == BO_OK, "%s", error.text);
    const struct container *container = &containers.items[0];
    show(container->environment.bytes.bytes, container->environment.bytes.size, text, sizeof(text));
    ck_assert_str_eq(text, cases[i].expected);
    ck_assert_str_eq(bo_buffer_text(&ignored), "");
    containers_free(&containers);
  }
}
END_TEST

START_TEST(containers_are_found_by_name) {
  struct containers containers;
  const struct container *container;
  struct bo_error error = BO_ERROR_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer ignored = BO_BUFFER_INIT;
  const char *json =
      TEMPLATE("{\"name\":\"a\",\"image\":\"x\"},{\"name\":\"b\",\"image\":\"y\",\"workingDir\":\"/srv\"}");
  ck_assert_int_eq(containers_read(json, &source, &containers, &ignored, &error), BO_OK);
  ck_assert_int_eq(containers_find(&containers, "", &container, &error), BO_OK);
  ck_assert_str_eq(container->name, "a");
  ck_assert_int_eq(containers_find(&containers, "b", &container, &error), BO_OK);
  ck_assert_str_eq(container->folder, "/srv");
  ck_assert_int_eq(containers_find(&containers, "c", &container, &error), BO_ERROR);
  ck_assert_str_eq(bo_buffer_text(&ignored), "image");
  containers_free(&containers);

  static const char *const empty[] = {"{}", "{\"spec\":{}}", "{\"spec\":{\"containers\":[]}}"};
  for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
    ck_assert_int_eq(containers_read(empty[i], &source, &containers, &ignored, &error), BO_OK);
    ck_assert_int_eq(containers_find(&containers, "", &container, &error), BO_OK);
    ck_assert_int_eq(containers_find(&containers, "a", &container, &error), BO_ERROR);
    containers_free(&containers);
  }
}
END_TEST

START_TEST(what_cannot_be_honoured_is_refused) {
  static const struct {
    const char *json;
    int error_class;
    const char *part;
  } cases[] = {
      {"", BO_CLASS_CONFIG, "not a JSON object"},
      {"[]", BO_CLASS_CONFIG, "not a JSON object"},
      {"{\"spec\":3}", BO_CLASS_CONFIG, "PodSpec"},
      {"{\"spec\":{\"containers\":{}}}", BO_CLASS_CONFIG, "PodSpec"},
      {TEMPLATE("{}"), BO_CLASS_CONFIG, "needs a name"},
      {TEMPLATE("7"), BO_CLASS_CONFIG, "needs a name"},
      {TEMPLATE("{\"name\":\"a\",\"workingDir\":\"relative\"}"), BO_CLASS_CONFIG, "not an absolute path"},
      {TEMPLATE("{\"name\":\"a\",\"env\":[{\"value\":\"hidden\"}]}"), BO_CLASS_CONFIG, "needs a name"},
      {TEMPLATE("{\"name\":\"a\",\"env\":[{\"name\":\"A=B\",\"value\":\"hidden\"}]}"), BO_CLASS_CONFIG, "needs a name"},
      {TEMPLATE("{\"name\":\"a\",\"env\":[{\"name\":\"N\",\"value\":5}]}"), BO_CLASS_CONFIG, "quote it"},
      {TEMPLATE("{\"name\":\"a\",\"env\":[{\"name\":\"A\",\"value\":\"hidden\"},{\"name\":\"N\",\"valueFrom\":{}}]}"),
       BO_CLASS_UNSUPPORTED, "env \"N\" takes its value from elsewhere"},
      {ENV(SECRET("P", "db", "absent", "")), BO_CLASS_CONFIG, "key \"absent\" of the secret \"db\""},
      {ENV(SECRET("P", "other", "password", "")), BO_CLASS_CONFIG, "secret \"other\", which is not there; add the key"},
      {ENV(SECRET("P", "d", "b/password", "")), BO_CLASS_CONFIG, "which is not there"},
      {ENV(SECRET("P", "db", "absent", ",\"optional\":false")), BO_CLASS_CONFIG, "which is not there"},
      {ENV(SECRET("P", "db", "binary", "")), BO_CLASS_CONFIG, "NUL"},
      {ENV(SECRET("P", "db", "", "")), BO_CLASS_CONFIG, "needs a name and a key"},
      {ENV(SECRET("P", "", "password", "")), BO_CLASS_CONFIG, "needs a name and a key"},
      {ENV(FIELD("N", "status.podIP")), BO_CLASS_UNSUPPORTED, "metadata.uid"},
      {ENV("{\"name\":\"N\",\"valueFrom\":{\"configMapKeyRef\":{\"name\":\"a\",\"key\":\"b\"}}}"), BO_CLASS_UNSUPPORTED,
       "configMapKeyRef"},
      {ENV("{\"name\":\"N\",\"value\":\"hidden\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"metadata.uid\"}}}"),
       BO_CLASS_CONFIG, "remove one"},
      {USER("\"runAsUser\":\"postgres\""), BO_CLASS_CONFIG, "runAsUser must be the number"},
      {USER("\"runAsUser\":4294967295"), BO_CLASS_CONFIG, "runAsUser must be the number"},
      {USER("\"runAsGroup\":-1"), BO_CLASS_CONFIG, "runAsGroup must be the number"},
      {USER("\"runAsUser\":1.5"), BO_CLASS_CONFIG, "runAsUser must be the number"},
      {USER("\"runAsUser\":0,\"runAsNonRoot\":true"), BO_CLASS_CONFIG, "runAsNonRoot"},
      {USER("\"runAsUser\":61234"), BO_CLASS_CONFIG, "set runAsGroup"},
      {"{\"spec\":{\"securityContext\":7}}", BO_CLASS_CONFIG, "must be a map"},
      {TEMPLATE("{\"name\":\"a\",\"envFrom\":[{}]}"), BO_CLASS_UNSUPPORTED, "envFrom"},
      {TEMPLATE("{\"name\":\"a\"},{\"name\":\"b\",\"envFrom\":[{}]}"), BO_CLASS_UNSUPPORTED, "\"b\""},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct containers containers;
    struct bo_error error = BO_ERROR_INIT;
    BO_CLEANUP_BUFFER struct bo_buffer ignored = BO_BUFFER_INIT;
    ck_assert_int_eq(containers_read(cases[i].json, &source, &containers, &ignored, &error), BO_ERROR);
    ck_assert_msg(error.error_class == cases[i].error_class, "case %zu: %s", i, error.text);
    ck_assert_msg(strstr(error.text, cases[i].part) != NULL, "case %zu: %s", i, error.text);
    ck_assert_ptr_null(strstr(error.text, "hidden"));
    ck_assert_ptr_null(strstr(error.text, "canary"));
  }
}
END_TEST

START_TEST(ignored_fields_are_named_once) {
  struct containers containers;
  BO_CLEANUP_BUFFER struct bo_buffer ignored = BO_BUFFER_INIT;
  const char *json =
      "{\"spec\":{\"volumes\":[],\"image\":\"?\",\"containers\":[{\"name\":\"a\",\"image\":\"x\",\"imagePullPolicy\":"
      "\"Always\",\"env\":[]},{\"name\":\"b\",\"image\":\"y\"}]}}";
  ck_assert_int_eq(containers_read(json, &source, &containers, &ignored, NULL), BO_OK);
  ck_assert_str_eq(bo_buffer_text(&ignored), "image, imagePullPolicy, volumes");
  containers_free(&containers);
}
END_TEST

START_TEST(a_command_gets_few_variables_of_ours) {
  ck_assert_int_eq(setenv("CANARY", "leaked", 1), 0);
  ck_assert_int_eq(setenv("HOME", "/home/us", 1), 0);
  ck_assert_int_eq(setenv("USER", "us", 1), 0);
  ck_assert_int_eq(setenv("SHELL", "/bin/us", 1), 0);
  ck_assert_int_eq(unsetenv("LOGNAME"), 0);
  ck_assert_int_eq(unsetenv("PATH"), 0);
  ck_assert_int_eq(unsetenv("LANG"), 0);
  struct containers containers;
  char text[1024];
  BO_CLEANUP_BUFFER struct bo_buffer ignored = BO_BUFFER_INIT;
  CLEANUP_ENVIRONMENT struct environment environment = ENVIRONMENT_INIT;
  const char *json = TEMPLATE("{\"name\":\"a\",\"env\":[{\"name\":\"SHELL\",\"value\":\"theirs\"}]}");
  ck_assert_int_eq(containers_read(json, &source, &containers, &ignored, NULL), BO_OK);
  ck_assert_int_eq(container_environment(&containers.items[0], "/tmp/x", &environment, NULL), BO_OK);
  show(environment.bytes.bytes, environment.bytes.size, text, sizeof(text));
  ck_assert_str_eq(text,
                   "TMPDIR=/tmp/x;PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin;HOME=/home/us;"
                   "USER=us;LOGNAME=us;LANG=C.UTF-8;SHELL=theirs;");
  ck_assert_uint_eq(environment.count, 7);
  containers_free(&containers);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("platform-local: container");
  TCase *container = tcase_create("container");
  tcase_add_test(container, environments_are_read);
  tcase_add_test(container, containers_are_found_by_name);
  tcase_add_test(container, what_cannot_be_honoured_is_refused);
  tcase_add_test(container, ignored_fields_are_named_once);
  tcase_add_test(container, a_command_gets_few_variables_of_ours);
  suite_add_tcase(suite, container);
  return unit_main(suite);
}
