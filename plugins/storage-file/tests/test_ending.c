/* How puts end: killed, discarded, swept, and racing with each other. Each must be whole at its key or not there, and
 * nothing of it may stay behind. 0 with unnamed files, 1 without. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "plugins/storage-file/tests/rig.h"

enum { PUT_BYTES = 200000, CHUNK_BYTES = 5000 };

/* In a child process, without check's asserts: a put of PUT_BYTES times `fill`. Returns 0 when it was committed. */
static int put_filled(struct rig *rig, const char *key, char fill) {
  static const struct bo_pair pairs[] = {{"run-uid", "1234"}};
  const struct bo_put_options options = {
      .header = BO_HEADER(struct bo_put_options), .metadata = pairs, .metadata_count = 1, .size_hint_bytes = -1};
  struct bo_token token;
  struct bo_object object = {.size = sizeof(object)};
  char chunk[CHUNK_BYTES];
  void *put = NULL;
  memset(chunk, fill, sizeof(chunk));
  if (rig->ops->put_open(rig->storage, key, &options, &token, &put, &rig->error) != BO_OK) return 1;
  int result = BO_OK;
  for (int at = 0; at < PUT_BYTES && result == BO_OK; at += CHUNK_BYTES)
    result = rig->ops->put_write(put, chunk, sizeof(chunk), &rig->error);
  if (result == BO_OK) result = rig->ops->put_commit(put, &object, &rig->error);
  int closed = rig->ops->put_close(put, &rig->error);
  return result == BO_OK && closed == BO_OK ? 0 : 1;
}

/* The object is PUT_BYTES of one letter; returns it, or 0 when there is no object. */
static char whole_object(struct rig *rig, const char *key) {
  if (try_get(rig, key, 0, NULL) != BO_OK) {
    ck_assert_msg(rig->error.error_class == BO_CLASS_NOT_FOUND, "%s", rig->error.text);
    return 0;
  }
  ck_assert_uint_eq(rig->got.size, PUT_BYTES);
  size_t same = 1;
  while (same < PUT_BYTES && rig->got.bytes[same] == rig->got.bytes[0])
    same++;
  ck_assert_msg(same == PUT_BYTES, "the object is a mixture from byte %zu on", same);
  return rig->got.bytes[0];
}

static pid_t start_put(struct rig *rig, const char *key, char fill) {
  pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (child == 0) _exit(put_filled(rig, key, fill));
  return child;
}

static int wait_for(pid_t child) {
  int status = 0;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  return status;
}

static uint64_t sweep(struct rig *rig, const char *prefix, uint64_t older_than_seconds) {
  uint64_t count = 0;
  int result = rig->ops->sweep(rig->storage, prefix, older_than_seconds, &count, &rig->error);
  ck_assert_msg(result == BO_OK, "sweep: %s", rig->error.text);
  return count;
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- killed */

START_TEST(a_kill_at_any_moment_leaves_the_old_or_the_new) {
  struct rig rig;
  int killed = 0, replaced = 0;
  rig_open(&rig, _i);
  ((struct file_storage *)rig.storage)->orphan_age_ms = 0;
  ck_assert_int_eq(put_filled(&rig, "dir/k", 'A'), 0);
  uint64_t begin_ns = now_ns();
  ck_assert_int_eq(wait_for(start_put(&rig, "dir/k", 'A')), 0);
  uint64_t whole_ns = now_ns() - begin_ns;
  char before = 'A';
  for (int i = 0; i < 200; i++) {
    char fill = (char)('B' + i % 20);
    uint64_t wait_ns = whole_ns * (uint64_t)i / 100;
    pid_t child = start_put(&rig, i % 2 ? "dir/k" : "other/deep/k", fill);
    nanosleep(&(struct timespec){(time_t)(wait_ns / 1000000000u), (long)(wait_ns % 1000000000u)}, NULL);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    if (WIFSIGNALED(wait_for(child))) killed++;
    char now = whole_object(&rig, "dir/k");
    ck_assert(now == before || (i % 2 && now == fill));
    replaced += now != before;
    before = now;
    (void)whole_object(&rig, "other/deep/k");
    (void)sweep(&rig, "", 0);
    (void)rig.ops->remove(rig.storage, "other/deep/k", NULL, &rig.error);
    /* A kill after the making of folders: they are no objects, and the next removal below takes them. */
    (void)unlinkat(rig.root, "other/deep", AT_REMOVEDIR);
    (void)unlinkat(rig.root, "other", AT_REMOVEDIR);
    ck_assert_str_eq(tree_text(&rig), "dir\ndir/k\n");
    ck_assert_uint_eq(count_metadata(&rig), 1);
  }
  /* Else the moments were badly chosen, and the test has shown nothing. */
  ck_assert_int_gt(killed, 20);
  ck_assert_int_gt(200 - killed + replaced, 0);
  rig_close(&rig);
}
END_TEST

START_TEST(a_killed_put_is_undone_by_its_token) {
  struct rig rig;
  int pipe_fds[2];
  struct bo_token token;
  rig_open(&rig, _i);
  ck_assert_int_eq(pipe(pipe_fds), 0);
  pid_t child = fork();
  if (child == 0) {
    void *put = NULL;
    if (rig.ops->put_open(rig.storage, "k", NULL, &token, &put, &rig.error) != BO_OK) _exit(1);
    if (rig.ops->put_write(put, "data", 4, &rig.error) != BO_OK) _exit(1);
    if (write(pipe_fds[1], &token, sizeof(token)) != sizeof(token)) _exit(1);
    pause();
    _exit(1);
  }
  ck_assert_int_eq(read(pipe_fds[0], &token, sizeof(token)), sizeof(token));
  ck_assert_int_eq(kill(child, SIGKILL), 0);
  (void)wait_for(child);
  RIG_OK(rig.ops->discard(rig.storage, "k", token.text, &rig.error));
  ck_assert_str_eq(tree_text(&rig), "");
  RIG_OK(rig.ops->discard(rig.storage, "k", token.text, &rig.error));
  (void)close(pipe_fds[0]);
  (void)close(pipe_fds[1]);
  rig_close(&rig);
}
END_TEST

/* As if it had been killed with its metadata in place, just before the rename onto the key. */
START_TEST(a_commit_killed_in_its_last_moment_is_undone_by_its_token) {
  static const struct bo_pair pairs[] = {{"run-uid", "1234"}};
  static const char token[] = "00112233445566778899aabbccddeeff";
  struct rig rig;
  char folder[128];
  char data[160];
  rig_open(&rig, 0);
  RIG_OK(put_with(&rig, "other", pairs, 1, "text"));
  RIG_OK(put_with(&rig, "k", pairs, 1, "text"));
  (void)snprintf(folder, sizeof(folder), FILE_STATE_FOLDER "/%s", token);
  (void)snprintf(data, sizeof(data), "%s/data", folder);
  ck_assert_int_eq(mkdirat(rig.root, folder, 0700), 0);
  ck_assert_int_eq(renameat(rig.root, "k", rig.root, data), 0);
  ck_assert_uint_eq(count_metadata(&rig), 2);
  RIG_OK(rig.ops->discard(rig.storage, "k", token, &rig.error));
  ck_assert_str_eq(tree_text(&rig), "other\n");
  ck_assert_uint_eq(count_metadata(&rig), 1);
  ck_assert_uint_eq(stat_object(&rig, "other").metadata_count, 1);
  rig_close(&rig);
}
END_TEST

/* ---- discarded */

/* 0 and 1: noticed by the commit; 2 and 3: by a write */
START_TEST(a_discarded_put_can_never_be_committed) {
  struct rig rig;
  struct bo_token token;
  struct bo_object object = {.size = sizeof(object)};
  void *other = NULL;
  rig_open(&rig, _i % 2);
  RIG_OK(rig_make(&rig, rig.folder, &other));
  put_text(&rig, "k", "old");
  void *put = begin_put(&rig, "k", &token);
  RIG_OK(rig.ops->put_write(put, "new", 3, &rig.error));
  RIG_OK(rig.ops->discard(other, "k", token.text, &rig.error));
  if (_i >= 2) RIG_FAILS(rig.ops->put_write(put, "new", 3, &rig.error), BO_CLASS_CANCELLED);
  if (_i < 2) RIG_FAILS(rig.ops->put_commit(put, &object, &rig.error), BO_CLASS_CANCELLED);
  RIG_OK(rig.ops->put_close(put, &rig.error));
  ck_assert_str_eq(get_text(&rig, "k"), "old");
  ck_assert_str_eq(tree_text(&rig), "k\n");
  rig.ops->close(other);
  rig_close(&rig);
}
END_TEST

START_TEST(a_committed_put_is_not_undone) {
  struct rig rig;
  struct bo_token token;
  struct bo_object object = {.size = sizeof(object)};
  rig_open(&rig, _i);
  void *put = begin_put(&rig, "k", &token);
  RIG_OK(rig.ops->put_write(put, "new", 3, &rig.error));
  RIG_OK(rig.ops->put_commit(put, &object, &rig.error));
  RIG_OK(rig.ops->discard(rig.storage, "k", token.text, &rig.error));
  RIG_OK(rig.ops->put_close(put, &rig.error));
  RIG_OK(rig.ops->discard(rig.storage, "k", token.text, &rig.error));
  ck_assert_str_eq(get_text(&rig, "k"), "new");
  ck_assert_str_eq(tree_text(&rig), "k\n");
  rig_close(&rig);
}
END_TEST

START_TEST(a_token_is_checked) {
  struct rig rig;
  rig_open(&rig, 0);
  RIG_OK(rig.ops->discard(rig.storage, "k", "0123456789abcdef0123456789abcdef", &rig.error));
  static const char *const bad[] = {
      "", ".", "..", "../k", "metadata", "0123456789abcdef0123456789abcde/", "0123456789abcdef0123456789abcdef0"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    RIG_FAILS(rig.ops->discard(rig.storage, "k", bad[i], &rig.error), BO_CLASS_CONFIG);
  rig_close(&rig);
}
END_TEST

struct discarder {
  struct rig *rig;
  void *storage;
  const char *token;
  pthread_barrier_t *barrier;
  uint64_t delay_ns;
  int result;
};

static void *discard_now(void *context) {
  struct discarder *discarder = context;
  struct bo_error error = BO_ERROR_INIT;
  (void)pthread_barrier_wait(discarder->barrier);
  for (uint64_t begin_ns = now_ns(); now_ns() - begin_ns < discarder->delay_ns;)
    ;
  discarder->result = discarder->rig->ops->discard(discarder->storage, "k", discarder->token, &error);
  return NULL;
}

/* Two discards against one commit: what the commit answers is what is at the key. */
START_TEST(commit_and_discard_agree_on_who_won) {
  struct rig rig;
  static const struct bo_pair pairs[] = {{"run-uid", "1234"}};
  const struct bo_put_options options = {
      .header = BO_HEADER(struct bo_put_options), .metadata = pairs, .metadata_count = 1, .size_hint_bytes = -1};
  int committed = 0;
  enum { ROUNDS = 150 };
  uint64_t commit_ns = 20000000;
  rig_open(&rig, _i);
  for (int i = 0; i < ROUNDS; i++) {
    struct bo_token token;
    struct bo_object object = {.size = sizeof(object)};
    pthread_barrier_t barrier;
    pthread_t threads[2];
    struct discarder discarders[2];
    void *put = NULL;
    RIG_OK(rig.ops->put_open(rig.storage, "dir/k", &options, &token, &put, &rig.error));
    RIG_OK(rig.ops->put_write(put, "data", 4, &rig.error));
    pthread_barrier_init(&barrier, NULL, 3);
    for (int t = 0; t < 2; t++) {
      discarders[t] =
          (struct discarder){.rig = &rig,
                             .token = token.text,
                             .barrier = &barrier,
                             .delay_ns = commit_ns * 3 / 2 * (unsigned)((i * 7 + t * 13) % ROUNDS) / ROUNDS};
      RIG_OK(rig_make(&rig, rig.folder, &discarders[t].storage));
      ck_assert_int_eq(pthread_create(&threads[t], NULL, discard_now, &discarders[t]), 0);
    }
    (void)pthread_barrier_wait(&barrier);
    uint64_t begin_ns = now_ns();
    bool won = rig.ops->put_commit(put, &object, &rig.error) == BO_OK;
    if (won) commit_ns = (3 * commit_ns + now_ns() - begin_ns) / 4;
    if (!won) ck_assert_msg(rig.error.error_class == BO_CLASS_CANCELLED, "%s", rig.error.text);
    for (int t = 0; t < 2; t++) {
      pthread_join(threads[t], NULL);
      ck_assert_int_eq(discarders[t].result, BO_OK);
      rig.ops->close(discarders[t].storage);
    }
    pthread_barrier_destroy(&barrier);
    RIG_OK(rig.ops->put_close(put, &rig.error));
    ck_assert_int_eq(rig.ops->stat(rig.storage, "dir/k", &object, &rig.error) == BO_OK, won);
    ck_assert_str_eq(tree_text(&rig), won ? "dir\ndir/k\n" : "");
    ck_assert_uint_eq(count_metadata(&rig), won);
    if (won) RIG_OK(rig.ops->remove(rig.storage, "dir/k", object.etag, &rig.error));
    committed += won;
  }
  /* Else they never met. */
  ck_assert_int_gt(committed, 0);
  ck_assert_int_lt(committed, ROUNDS);
  rig_close(&rig);
}
END_TEST

/* ---- swept */

START_TEST(sweep_ends_old_puts_under_its_prefix) {
  struct rig rig;
  struct bo_object object = {.size = sizeof(object)};
  rig_open(&rig, _i);
  put_text(&rig, "ns1/done", "kept");
  void *first = begin_put(&rig, "ns1/a", NULL);
  void *second = begin_put(&rig, "ns2/a", NULL);
  ck_assert_uint_eq(sweep(&rig, "", 3600), 0);
  ck_assert_uint_eq(sweep(&rig, "ns3/", 0), 0);
  ck_assert_uint_eq(sweep(&rig, "ns1/", 0), 1);
  RIG_FAILS(rig.ops->put_commit(first, &object, &rig.error), BO_CLASS_CANCELLED);
  RIG_OK(rig.ops->put_commit(second, &object, &rig.error));
  RIG_OK(rig.ops->put_close(first, &rig.error));
  RIG_OK(rig.ops->put_close(second, &rig.error));
  ck_assert_uint_eq(sweep(&rig, "", 0), 0);
  ck_assert_str_eq(list_text(&rig, "", "", 9), "ns1/done=4\nns2/a=0\n");
  rig_close(&rig);
}
END_TEST

/* What a crash in the very middle of beginning or committing a put leaves, and metadata without an object. */
START_TEST(sweep_takes_what_crashes_leave) {
  struct rig rig;
  static const struct bo_pair pairs[] = {{"run-uid", "1234"}};
  char path[512];
  rig_open(&rig, 0);
  RIG_OK(put_with(&rig, "ns/k", pairs, 1, "data"));
  ck_assert_int_eq(mkdirat(rig.root, ".backup-operator/00000000000000000000000000000001", 0700), 0);
  ck_assert_int_eq(mkdirat(rig.root, ".backup-operator/00000000000000000000000000000002", 0700), 0);
  write_file(&rig, ".backup-operator/00000000000000000000000000000002/data", "x");
  ck_assert_int_eq(mkdirat(rig.root, ".backup-operator/not-ours", 0700), 0);
  ck_assert_uint_eq(sweep(&rig, "", 0), 2);
  ck_assert_int_eq(unlinkat(rig.root, ".backup-operator/not-ours", AT_REMOVEDIR), 0);
  ck_assert_str_eq(tree_text(&rig), "ns\nns/k\n");
  /* The metadata of an object that somebody removed by hand stay a while: a commit might be about to show it. */
  find_metadata(&rig, path);
  ck_assert_int_eq(unlinkat(rig.root, "ns/k", 0), 0);
  ck_assert_uint_eq(sweep(&rig, "", 0), 0);
  ck_assert_uint_eq(count_metadata(&rig), 1);
  ((struct file_storage *)rig.storage)->orphan_age_ms = 0;
  (void)sweep(&rig, "other/", 0);
  (void)sweep(&rig, "", 3600);
  ck_assert_uint_eq(count_metadata(&rig), 1);
  (void)sweep(&rig, "ns/", 0);
  ck_assert_uint_eq(count_metadata(&rig), 0);
  rig_close(&rig);
}
END_TEST

/* ---- at once */

START_TEST(of_puts_at_once_one_survives_whole) {
  struct rig rig;
  enum { WRITERS = 8, ROUNDS = 10 };
  rig_open(&rig, _i);
  for (int round = 0; round < ROUNDS; round++) {
    pid_t children[WRITERS];
    for (int i = 0; i < WRITERS; i++)
      children[i] = start_put(&rig, "dir/k", (char)('A' + i));
    for (int i = 0; i < 50; i++)
      (void)whole_object(&rig, "dir/k");
    for (int i = 0; i < WRITERS; i++)
      ck_assert_int_eq(wait_for(children[i]), 0);
    ck_assert_int_ne(whole_object(&rig, "dir/k"), 0);
    ck_assert_uint_eq(stat_object(&rig, "dir/k").metadata_count, 1);
    ck_assert_uint_eq(count_metadata(&rig), 1);
    ck_assert_str_eq(tree_text(&rig), "dir\ndir/k\n");
  }
  rig_close(&rig);
}
END_TEST

/* Removals take empty folders away under the feet of puts that need them. */
START_TEST(puts_and_removals_share_folders) {
  struct rig rig;
  enum { ROUNDS = 100 };
  rig_open(&rig, _i);
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < ROUNDS; i++)
      if (put_filled(&rig, "a/b/c/other", 'x') != 0 ||
          rig.ops->remove(rig.storage, "a/b/c/other", NULL, &rig.error) != BO_OK) {
        fprintf(stderr, "# %s\n", rig.error.text);
        _exit(1);
      }
    _exit(0);
  }
  for (int i = 0; i < ROUNDS; i++) {
    put_text(&rig, "a/b/c/mine", "text");
    RIG_OK(rig.ops->remove(rig.storage, "a/b/c/mine", NULL, &rig.error));
  }
  ck_assert_int_eq(wait_for(child), 0);
  ck_assert_uint_eq(count_metadata(&rig), 0);
  rig_close(&rig);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("storage-file-ending");
  TCase *tests = tcase_create("ending");
  tcase_set_timeout(tests, 300);
  tcase_add_loop_test(tests, a_kill_at_any_moment_leaves_the_old_or_the_new, 0, 2);
  tcase_add_loop_test(tests, a_killed_put_is_undone_by_its_token, 0, 2);
  tcase_add_test(tests, a_commit_killed_in_its_last_moment_is_undone_by_its_token);
  tcase_add_loop_test(tests, a_discarded_put_can_never_be_committed, 0, 4);
  tcase_add_loop_test(tests, a_committed_put_is_not_undone, 0, 2);
  tcase_add_test(tests, a_token_is_checked);
  tcase_add_loop_test(tests, commit_and_discard_agree_on_who_won, 0, 2);
  tcase_add_loop_test(tests, sweep_ends_old_puts_under_its_prefix, 0, 2);
  tcase_add_test(tests, sweep_takes_what_crashes_leave);
  tcase_add_loop_test(tests, of_puts_at_once_one_survives_whole, 0, 2);
  tcase_add_loop_test(tests, puts_and_removals_share_folders, 0, 2);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
