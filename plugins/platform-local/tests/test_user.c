/* runAsUser and its kin: what a command is then, what it may do, and who may ask for it; and secrets in an environment.
 * What only root can do is checked only as root. */
#include <signal.h>

#include "support.h"

#define CONTEXT(context) "{\"spec\":{\"securityContext\":{" context "},\"containers\":[{\"name\":\"a\"}]}}"
#define WHO "echo $(id -u) $(id -g) $(id -G) $HOME $USER; touch mine && echo x > $TMPDIR/x; echo y > /dev/stdout; pwd"

static bool is_root(void) {
  return geteuid() == 0;
}

static void expect_output(struct fixture *fixture, void *workload, const char *script, const char *expected) {
  char text[1024];
  void *exec = open_exec(fixture, workload, BO_EXEC_BACKUP, script, NULL);
  (void)read_text(fixture, exec, text, sizeof(text));
  ck_assert_msg(strncmp(text, expected, strlen(expected)) == 0, "expected: %s\ngot: %s", expected, text);
  ck_assert_uint_eq(expect_exit(fixture, exec, BO_EXIT_STATUS, 0), 0);
  fixture->operations->exec_close(exec);
}

/* Another user must be able to reach the folder of its workload. */
static void open_for_all(struct fixture *fixture) {
  fixture_open(fixture);
  ck_assert_int_eq(chmod(fixture->folder, 0711), 0);
}

START_TEST(a_command_is_another_user_for_good) {
  if (!is_root()) return;
  struct fixture fixture;
  open_for_all(&fixture);
  void *workload = start_workload(&fixture, CONTEXT("\"runAsUser\":61234,\"runAsGroup\":61235"));
  expect_output(&fixture, workload, WHO, "61234 61235 61235 / nobody\ny\n/tmp/");
  expect_output(&fixture, workload, "grep -E '^(Uid|Gid|CapEff)' /proc/self/status | tr -s '\\t\\n' ' '",
                "Uid: 61234 61234 61234 61234 Gid: 61235 61235 61235 61235 CapEff: 0000000000000000");
  stop_workload(&fixture, workload, 0);
  fixture.operations->workload_close(workload);
  fixture_close(&fixture);
}
END_TEST

START_TEST(the_user_database_gives_group_and_home) {
  if (!is_root()) return;
  struct fixture fixture;
  open_for_all(&fixture);
  void *workload = start_workload(&fixture, CONTEXT("\"runAsUser\":65534"));
  expect_output(&fixture, workload, WHO, "65534 65534 65534 /nonexistent nobody\ny\n/tmp/");
  fixture.operations->workload_close(workload);
  fixture_close(&fixture);
}
END_TEST

START_TEST(the_containers_wish_goes_before_the_pods) {
  if (!is_root()) return;
  struct fixture fixture;
  open_for_all(&fixture);
  void *workload = start_workload(&fixture,
                                  "{\"spec\":{\"securityContext\":{\"runAsUser\":1,\"runAsGroup\":7},\"containers\":[{"
                                  "\"name\":\"a\",\"securityContext\":{\"runAsUser\":65534}}]}}");
  expect_output(&fixture, workload, "id -u; id -g", "65534\n7\n");
  fixture.operations->workload_close(workload);
  fixture_close(&fixture);
}
END_TEST

/* A change of user takes back the kernel's promise to kill the command when its supervisor dies. */
START_TEST(another_users_command_dies_with_the_supervisor) {
  if (!is_root()) return;
  struct fixture fixture;
  open_for_all(&fixture);
  void *workload = start_workload(&fixture, CONTEXT("\"runAsUser\":65534"));
  ck_assert_int_eq(chmod(fixture.folder, 01777), 0);
  void *exec = open_exec(&fixture, workload, BO_EXEC_BACKUP, "echo $PPID > $0/parent; exec sleep 1000", NULL);
  ck_assert_int_eq(kill((pid_t)read_number(&fixture, "parent"), SIGKILL), 0);
  WAIT_FOR(count_processes(&fixture) == 0);
  fixture.operations->exec_close(exec);
  fixture.operations->workload_close(workload);
  fixture_close(&fixture);
}
END_TEST

START_TEST(without_roots_rights_only_ourselves) {
  if (is_root()) ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
  struct fixture fixture;
  fixture_open(&fixture);
  struct bo_error error = BO_ERROR_INIT;
  struct bo_workload_spec spec = {.header = BO_HEADER(struct bo_workload_spec), .namespace_name = "", .name = "test"};
  void *workload = NULL;
  spec.uid = "uid";
  spec.template_json = CONTEXT("\"runAsUser\":1,\"runAsGroup\":1");
  int result = fixture.operations->workload_start(fixture.platform, &spec, &workload, &error);
  expect_error(result, &error, BO_CLASS_AUTH, "it is to run as user 1 and group 1, but this program runs as user");
  char own[256], expected[64];
  (void)snprintf(own, sizeof(own), CONTEXT("\"runAsUser\":%u,\"runAsGroup\":%u"), geteuid(), getegid());
  (void)snprintf(expected, sizeof(expected), "%u\n", geteuid());
  workload = start_workload(&fixture, own);
  expect_output(&fixture, workload, "id -u", expected);
  fixture.operations->workload_close(workload);
  fixture_close(&fixture);
}
END_TEST

START_TEST(a_secret_reaches_the_command_and_nothing_else) {
  struct fixture fixture;
  fixture_open(&fixture);
  fixture.operations->close(fixture.platform);
  char bytes[] = "canary-7f3a";
  struct bo_secret secret = {.name = "db/password", .bytes = (unsigned char *)bytes, .size = strlen(bytes)};
  struct bo_value value = {.is_set = 1, .string = fixture.folder};
  struct bo_config config = {
      .header = BO_HEADER(struct bo_config), .values = &value, .value_count = 1, .secrets = &secret, .secret_count = 1};
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(fixture.operations->open(&fixture.host.host, &config, &fixture.platform, &error), BO_OK);
  memset(bytes, 'x', strlen(bytes)); /* it was copied */
  void *workload = start_workload(
      &fixture,
      "{\"spec\":{\"containers\":[{\"name\":\"a\",\"env\":[{\"name\":\"PGPASSWORD\",\"valueFrom\":{\"secretKeyRef\":{"
      "\"name\":\"db\",\"key\":\"password\"}}},{\"name\":\"RUN\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":"
      "\"metadata.name\"}}}]}]}}");
  expect_output(&fixture, workload, "echo $PGPASSWORD $RUN; tr '\\0' ' ' < /proc/$PPID/environ", "canary-7f3a test\n");
  expect_output(&fixture, workload, "tr '\\0' ' ' < /proc/$PPID/cmdline | grep -c canary; true", "0\n");
  fixture.operations->workload_close(workload);
  fixture_close(&fixture); /* nothing was logged */
}
END_TEST

int main(void) {
  Suite *suite = suite_create("platform-local: user");
  TCase *user = tcase_create("user");
  tcase_set_timeout(user, 90);
  tcase_add_test(user, a_command_is_another_user_for_good);
  tcase_add_test(user, the_user_database_gives_group_and_home);
  tcase_add_test(user, the_containers_wish_goes_before_the_pods);
  tcase_add_test(user, another_users_command_dies_with_the_supervisor);
  tcase_add_test(user, without_roots_rights_only_ourselves);
  tcase_add_test(user, a_secret_reaches_the_command_and_nothing_else);
  suite_add_tcase(suite, user);
  return unit_main(suite);
}
