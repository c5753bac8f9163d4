/*
 * After close, no page of the process holds a byte of a key: not the identity as text, not the private key in it, not
 * the file key, nor the payload's key. The test looks for them in its own memory, stack included, through
 * /proc/self/mem.
 *
 * So that it does not find its own copies, another process works out what to look for, and hands it over masked.
 */
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "plugins/crypt-age/base64.h"
#include "plugins/crypt-age/bech32.h"
#include "plugins/crypt-age/keys.h"
#include "plugins/crypt-age/tests/support.h"

#define NEEDLE_SIZE 16
#define NEEDLE_MAX 16
#define MASK 0x5a
#define REGION_MAX (UINT64_C(1) << 30) /* the sanitizers map far more, for their own books */

struct needles {
  size_t count;
  unsigned char masked[NEEDLE_MAX][NEEDLE_SIZE];
  char name[NEEDLE_MAX][32];
};

static struct needles *needles; /* shared with the process that fills it */

static void add_needle(const char *name, const void *bytes) {
  ck_assert_uint_lt(needles->count, NEEDLE_MAX);
  (void)snprintf(needles->name[needles->count], sizeof(needles->name[0]), "%s", name);
  for (size_t i = 0; i < NEEDLE_SIZE; i++)
    needles->masked[needles->count][i] = ((const unsigned char *)bytes)[i] ^ MASK;
  needles->count++;
}

/* ---- looking through the memory ---- */

static bool matches(const unsigned char *at, const unsigned char *masked) {
  for (size_t i = 0; i < NEEDLE_SIZE; i++)
    if ((at[i] ^ MASK) != masked[i]) return false;
  return true;
}

/* Bits of the needles that lie in the window. */
static unsigned search_window(const unsigned char *window, size_t size) {
  unsigned found = 0;
  for (size_t n = 0; n < needles->count; n++)
    for (const unsigned char *at = window; (size_t)(window + size - at) >= NEEDLE_SIZE; at++) {
      at = memchr(at, needles->masked[n][0] ^ MASK, (size_t)(window + size - at) - NEEDLE_SIZE + 1);
      if (at == NULL) break;
      if (matches(at, needles->masked[n])) found |= 1u << n;
    }
  return found;
}

static unsigned search_region(int memory, uint64_t begin, uint64_t end, unsigned char *window) {
  unsigned found = 0;
  for (uint64_t at = begin; at < end; at += 65536) {
    size_t size = end - at < 65536 + NEEDLE_SIZE ? end - at : 65536 + NEEDLE_SIZE;
    ssize_t got = pread(memory, window, size, (off_t)at);
    if (got > 0) found |= search_window(window, (size_t)got);
  }
  return found;
}

static unsigned search_memory(void) {
  /* Shared memory of its own, so that a window read does not become a second find. */
  unsigned char *window = mmap(NULL, 131072, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  unsigned found = 0;
  char line[512];
  int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  FILE *maps = fopen("/proc/self/maps", "re");
  ck_assert(memory >= 0 && maps != NULL && window != MAP_FAILED);
  while (fgets(line, sizeof(line), maps) != NULL) {
    unsigned long long begin = 0, end = 0;
    char mode[8] = "";
    ck_assert_int_eq(sscanf(line, "%llx-%llx %7s", &begin, &end, mode), 3);
    if (mode[0] == 'r' && mode[1] == 'w' && begin != (uintptr_t)window && end - begin < REGION_MAX)
      found |= search_region(memory, begin, end, window);
  }
  (void)fclose(maps);
  (void)close(memory);
  munmap(window, 131072);
  return found;
}

static void assert_nothing_left(const char *when) {
  unsigned found = search_memory();
  for (size_t n = 0; n < needles->count; n++)
    ck_assert_msg((found & 1u << n) == 0, "%s, the memory still holds %s", when, needles->name[n]);
}

/* ---- what to look for: worked out in a process of its own ---- */

/* The last place of a pattern in an OpenSSH key: in its private part, not in the public one that precedes it. */
static const unsigned char *last_place(const unsigned char *blob, size_t size, const void *pattern,
                                       size_t pattern_size) {
  const unsigned char *last = NULL, *next = blob;
  while ((next = memmem(next, size - (size_t)(next - blob), pattern, pattern_size)) != NULL)
    last = next++;
  ck_assert_ptr_nonnull(last);
  return last;
}

static void add_ssh_needles(const char *text) {
  static char body[8192];
  unsigned char blob[6144], reversed[NEEDLE_SIZE];
  size_t body_size = 0, size = 0;
  const char *end = strstr(text, "-----END"), *at = strchr(text, '\n');
  ck_assert(end != NULL && at != NULL);
  add_needle("the text of the SSH key", end - 120);
  for (; at < end; at++)
    if (*at != '\n' && *at != '=') body[body_size++] = *at;
  ck_assert(age_base64_decode(body, body_size, blob, sizeof(blob), &size));
  const unsigned char *type = memmem(blob, size, "ssh-ed25519\0\0\0\x20", 15);
  if (type != NULL) { /* the seed stands before the last copy of the public key */
    const unsigned char *seed = last_place(blob, size, type + 15, 32) - 32;
    add_needle("the seed", seed);
    add_needle("the end of the seed", seed + 16);
    return;
  }
  /* The private exponent follows the public one, 65537. It may be held with either end first. */
  const unsigned char *exponent = last_place(blob, size, "\0\0\0\3\1\0\1", 7) + 7 + 4 + 64;
  for (size_t i = 0; i < NEEDLE_SIZE; i++)
    reversed[i] = exponent[NEEDLE_SIZE - 1 - i];
  add_needle("the private exponent", exponent);
  add_needle("the private exponent, reversed", reversed);
}

static void add_identity_needles(const char *text) {
  char prefix[AGE_BECH32_PREFIX_MAX];
  unsigned char scalar[AGE_KEY_SIZE];
  const char *line = strstr(text, "AGE-SECRET-KEY-1");
  if (line == NULL) {
    add_ssh_needles(text);
    return;
  }
  size_t line_size = strcspn(line, "\r\n");
  ck_assert_int_eq(age_bech32_decode(line, line_size, prefix, scalar), AGE_BECH32_OK);
  add_needle("the text of the identity", line + 20);
  add_needle("the scalar", scalar);
  add_needle("the end of the scalar", scalar + 16);
}

static void add_file_needles(const struct bo_buffer *file, const char *secret, size_t size, bool passphrase) {
  struct fake_host fake;
  struct bo_error error = BO_ERROR_INIT;
  struct age_keys keys;
  struct age_header header;
  unsigned char file_key[AGE_FILE_KEY_SIZE], key[AGE_KEY_SIZE];
  age_keys_init(&keys, fake_host_open(&fake));
  if (passphrase)
    ck_assert_int_eq(age_keys_add_passphrase(&keys, secret, size, 20, &error), BO_OK);
  else
    ck_assert_int_eq(age_keys_add_identities(&keys, secret, size, 1, &error), BO_OK);
  const char *last = memmem(file->bytes, file->size, "\n---", 4);
  size_t header_size = (size_t)((const char *)memchr(last + 1, '\n', 60) + 1 - file->bytes);
  ck_assert_int_eq(age_header_parse(file->bytes, header_size, &header, &error), BO_OK);
  ck_assert_int_eq(age_keys_unwrap(&keys, &header, file_key, &error), BO_OK);
  ck_assert(age_hkdf(file_key, sizeof(file_key), file->bytes + header_size, 16, "payload", key));
  add_needle("the file key", file_key);
  add_needle("the payload's key", key);
  age_keys_free(&keys);
}

static size_t read_secret(const char *path, char *secret, size_t capacity) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t size = read(fd, secret, capacity - 1);
  ck_assert_int_gt(size, 0);
  secret[size] = '\0';
  (void)close(fd);
  return (size_t)size;
}

static char secret[8192];

static void find_needles(const char *path, const struct bo_buffer *file, bool passphrase) {
  pid_t child = fork();
  if (child == 0) {
    size_t size = read_secret(path, secret, sizeof(secret));
    if (passphrase)
      add_needle("the passphrase", secret);
    else
      add_identity_needles(secret);
    add_file_needles(file, secret, size, passphrase);
    _exit(0);
  }
  int status = 1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
}

static void make_needles(void) {
  needles = mmap(NULL, sizeof(*needles), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(needles, MAP_FAILED);
}

/* ---- decoding ---- */

static const struct {
  const char *key, *file;
  bool passphrase;
} cases[] = {
    {VECTORS "own/keys/x1.txt", VECTORS "own/files/x25519-two-chunks.age", false},
    {VECTORS "own/keys/ssh_ed25519_a", VECTORS "own/files/ssh-ed25519-small.age", false},
    {VECTORS "own/keys/ssh_rsa_a", VECTORS "own/files/ssh-rsa-small.age", false},
    {VECTORS "own/keys/pw1.pass", VECTORS "own/files/scrypt-12.age", true},
};

static void *open_decoder(const struct bo_host *host, const char *path, bool passphrase) {
  static struct setup setup;
  struct bo_error error = BO_ERROR_INIT;
  void *instance = NULL;
  size_t size = read_secret(path, secret, sizeof(secret));
  setup_init(&setup);
  setup.secrets[0] = (struct bo_secret){passphrase ? "passphrase" : "identity", (unsigned char *)secret, size};
  setup.config.secret_count = 1;
  int result = operations_of_age()->open(host, BO_DECODE, &setup.config, &instance, &error);
  OPENSSL_cleanse(secret, sizeof(secret));
  ck_assert_msg(result == BO_OK, "%s", error.text);
  return instance;
}

static int decode_all(void *instance, const struct bo_buffer *file) {
  static unsigned char room[256 * 1024];
  struct bo_error error = BO_ERROR_INIT;
  struct bo_input in = {(unsigned char *)file->bytes, file->size, 0};
  struct bo_output out = {room, sizeof(room), 0};
  return operations_of_age()->process(instance, &in, &out, BO_END, &error);
}

START_TEST(no_key_is_left_by_decoding) {
  struct fake_host fake;
  const struct bo_host *host = fake_host_open(&fake);
  BO_CLEANUP_BUFFER struct bo_buffer file = BO_BUFFER_INIT, foreign = BO_BUFFER_INIT;
  read_whole(cases[_i].file, &file);
  read_whole(cases[(_i + 1) % 4].file, &foreign);
  find_needles(cases[_i].key, &file, cases[_i].passphrase);
  assert_nothing_left("before anything was read");

  void *instance = open_decoder(host, cases[_i].key, cases[_i].passphrase);
  if (_i == 0 || cases[_i].passphrase) ck_assert_msg(search_memory() != 0, "the search finds nothing at all");
  operations_of_age()->close(instance);
  assert_nothing_left("after open and close");

  instance = open_decoder(host, cases[_i].key, cases[_i].passphrase);
  ck_assert_int_eq(decode_all(instance, &file), BO_DONE);
  operations_of_age()->close(instance);
  assert_nothing_left("after a whole file");

  instance = open_decoder(host, cases[_i].key, cases[_i].passphrase);
  ck_assert_int_eq(decode_all(instance, &foreign), BO_ERROR);
  operations_of_age()->close(instance);
  assert_nothing_left("after a file for somebody else");

  file.size -= 3;
  instance = open_decoder(host, cases[_i].key, cases[_i].passphrase);
  ck_assert_int_eq(decode_all(instance, &file), BO_ERROR);
  operations_of_age()->close(instance);
  assert_nothing_left("after a damaged file");
  fake_host_close(&fake);
}
END_TEST

/* ---- encoding ---- */

/* What the host gave as randomness: a file key, a nonce (which is no secret), and ephemeral scalars, in this order. */
static int remember_random(void *context, void *bytes, size_t size) {
  static int calls;
  int result = fake_host_random_(context, bytes, size);
  if (++calls != 2) add_needle(size == AGE_FILE_KEY_SIZE ? "the file key" : "an ephemeral scalar", bytes);
  return result;
}

START_TEST(no_key_is_left_by_encoding) {
  static struct setup setup;
  struct fake_host fake;
  struct bo_error error = BO_ERROR_INIT;
  void *instance = NULL;
  unsigned char room[4096];
  (void)fake_host_open(&fake);
  fake.host.random = remember_random;
  BO_CLEANUP_BUFFER struct bo_buffer ed25519 = BO_BUFFER_INIT, rsa = BO_BUFFER_INIT;
  read_whole(VECTORS "own/keys/ssh_ed25519_a.pub", &ed25519);
  read_whole(VECTORS "own/keys/ssh_rsa_a.pub", &rsa);
  setup_recipient(setup_init(&setup), "age1fwe802g5eg4j6semd5h9xm20yjjx8lx44nkfp0nv6jwfvg0kfyjsr9vafe");
  setup_recipient(&setup, bo_buffer_text(&ed25519));
  setup_recipient(&setup, bo_buffer_text(&rsa));
  ck_assert_int_eq(operations_of_age()->open(&fake.host, BO_ENCODE, &setup.config, &instance, &error), BO_OK);
  struct bo_input in = {(const unsigned char *)"text", 4, 0};
  struct bo_output out = {room, sizeof(room), 0};
  ck_assert_int_eq(operations_of_age()->process(instance, &in, &out, BO_END, &error), BO_DONE);
  operations_of_age()->close(instance);
  ck_assert_uint_eq(needles->count, 3);
  assert_nothing_left("after encoding");
  fake_host_close(&fake);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("age-memory");
  TCase *tests = tcase_create("memory");
  tcase_set_timeout(tests, 300);
  tcase_add_checked_fixture(tests, make_needles, NULL);
  tcase_add_loop_test(tests, no_key_is_left_by_decoding, 0, 4);
  tcase_add_test(tests, no_key_is_left_by_encoding);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
