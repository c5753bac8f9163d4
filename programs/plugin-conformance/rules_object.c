/* rules_object.c - the objects of a storage: their keys, and how they are listed, read and removed. */
#include <stdlib.h>

#include "programs/plugin-conformance/store.h"

static const char some_bytes[] = "0123456789abcdefghijklmnopqrstuvwxyz";
#define SOME_SIZE (sizeof(some_bytes) - 1)

/* ---- STO-020 to STO-022: keys ---- */

static void missing_is_not_found(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "nothing");
  struct bo_object object = {.size = sizeof(object)};
  void *get = NULL;
  conf_must_open(&store, conf);
  conf_must_put(&store, conf_key(conf, "nothing-but-this").text, some_bytes, SOME_SIZE, NULL);
  CONF_HOLDS(conf_stat(&store, key.text, &object) == BO_ERROR && store.error.error_class == BO_CLASS_NOT_FOUND,
             "stat() of a key without an object is not BO_ERROR with the class not-found: %s", store.error.text);
  CONF_HOLDS(CONF_STORE(&store, get_open, store.instance, key.text, 0, NULL, &object, &get) == BO_ERROR &&
                 store.error.error_class == BO_CLASS_NOT_FOUND,
             "get_open() of a key without an object is not BO_ERROR with the class not-found: %s", store.error.text);
  conf_store_close(&store);
}

/* Puts under a key: true when the storage holds it, false when it refuses it as it may. */
static bool put_or_refuse(struct conf_store *store, const char *key, const char *bytes, size_t size) {
  if (conf_put(store, key, bytes, size, NULL) == BO_OK) return true;
  CONF_HOLDS(
      store->error.error_class == BO_CLASS_CONFIG,
      "a put to the key \"%.300s\" fails with the class %d; a key that cannot be held is refused with config: %s", key,
      store->error.error_class, store->error.text);
  return false;
}

static void check_odd_key(struct conf_store *store, const char *key) {
  char line[BO_KEY_MAX + 130];
  bool more = false;
  BO_CLEANUP_BUFFER struct bo_buffer keys = BO_BUFFER_INIT;
  if (!put_or_refuse(store, key, some_bytes, SOME_SIZE)) return;
  char when[BO_KEY_MAX + 160];
  (void)snprintf(when, sizeof(when), "stored under the key \"%.500s\"", key);
  conf_must_be(store, key, some_bytes, SOME_SIZE, when);
  CONF_HOLDS(conf_list(store, store->conf->prefix, NULL, 10, &keys, &more) == BO_OK, "list() failed: %s",
             store->error.text);
  (void)snprintf(line, sizeof(line), "%s\n", key);
  CONF_HOLDS(strcmp(bo_buffer_text(&keys), line) == 0, "with an object %s, list() has: %.500s", when,
             bo_buffer_text(&keys));
  CONF_HOLDS(CONF_STORE(store, remove, store->instance, key, NULL) == BO_OK, "%s, it cannot be removed: %s", when,
             store->error.text);
}

static void odd_keys(struct conf *conf) {
  static const char *const names[] = {"with space",
                                      " ",
                                      "+plus+",
                                      "per%20cent%",
                                      "~tilde",
                                      "a//b",
                                      "trailing/",
                                      "dot.",
                                      "..",
                                      "./x",
                                      "a/../b",
                                      "question?mark=1&x#y",
                                      "back\\slash",
                                      "quote\"'`",
                                      "<xml>&amp;",
                                      "*star[1]",
                                      "semi;colon:",
                                      "$HOME",
                                      "-dash",
                                      "tab\tkey",
                                      "Gr\xc3\xbc\xc3\x9f",
                                      "\xe6\x97\xa5\xe6\x9c\xac",
                                      "\xf0\x9f\x92\xbe",
                                      ".hidden"};
  struct conf_store store;
  conf_must_open(&store, conf);
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    check_odd_key(&store, conf_key(conf, names[i]).text);
  for (size_t size = BO_KEY_MAX - 1; size <= BO_KEY_MAX; size++) {
    struct conf_key key = conf_key(conf, "");
    for (size_t i = strlen(key.text); i < size; i++) {
      key.text[i] = i % 100 == 99 ? '/' : 'k';
      key.text[i + 1] = '\0';
    }
    check_odd_key(&store, key.text);
  }
  conf_store_close(&store);
}

static void alike_keys(struct conf *conf) {
  static const char *const pairs[][2] = {
      {"a b", "a+b"},   {"a b", "a%20b"}, {"A", "a"},      {"\xc3\xa9", "e\xcc\x81"},
      {"a/b", "a%2Fb"}, {"x", "x "},      {"x", "x."},     {"a_b", "a/b"},
      {"a-b", "a/b"},   {"y.tmp", "y"},   {"a\\b", "a/b"}, {"k", "k\x01"},
  };
  struct conf_store store;
  conf_must_open(&store, conf);
  for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
    struct conf_key first = conf_key(conf, pairs[i][0]), second = conf_key(conf, pairs[i][1]);
    bool has_first = put_or_refuse(&store, first.text, "first", 5);
    bool has_second = put_or_refuse(&store, second.text, "second", 6);
    if (has_first) conf_must_be(&store, first.text, "first", 5, "beside an object with a key that looks alike");
    if (has_second) conf_must_be(&store, second.text, "second", 6, "beside an object with a key that looks alike");
    if (has_first) (void)CONF_STORE(&store, remove, store.instance, first.text, NULL);
    if (has_second)
      CONF_HOLDS(CONF_STORE(&store, remove, store.instance, second.text, NULL) == BO_OK,
                 "after \"%s\" was removed, \"%s\" cannot be: %s", pairs[i][0], pairs[i][1], store.error.text);
  }
  conf_store_close(&store);
}

/* ---- STO-023 to STO-025: listings ---- */

/* Byte order: '.' and '-' come before '/', which comes before '0'; 0xc3 comes last. */
static const char *const sorted[] = {"a",  "a-b", "a.b",  "a/b", "a/b/c", "a/c",
                                     "a0", "b/1", "b/10", "b/2", "c",     "\xc3\xbc"};
#define SORTED (sizeof(sorted) / sizeof(sorted[0]))

/* What a listing must be, from the sorted names alone. */
static void check_list(struct conf_store *store, const char *prefix, const char *after, uint32_t limit,
                       const bool there[SORTED]) {
  const struct conf *conf = store->conf;
  BO_CLEANUP_BUFFER struct bo_buffer wanted = BO_BUFFER_INIT, found = BO_BUFFER_INIT;
  bool more = false, wanted_more = false;
  uint32_t count = 0;
  for (size_t i = 0; i < SORTED; i++) {
    if (!there[i] || strncmp(sorted[i], prefix, strlen(prefix)) != 0) continue;
    if (after != NULL && strcmp(sorted[i], after) <= 0) continue;
    if (count++ < limit)
      (void)bo_buffer_printf(&wanted, "%s%s\n", conf->prefix, sorted[i]);
    else
      wanted_more = true;
  }
  struct conf_key whole_prefix = conf_key(conf, prefix), whole_after = conf_key(conf, after == NULL ? "" : after);
  CONF_HOLDS(
      conf_list(store, whole_prefix.text, after == NULL ? NULL : whole_after.text, limit, &found, &more) == BO_OK,
      "list() failed: %s", store->error.text);
  CONF_HOLDS(strcmp(bo_buffer_text(&found), bo_buffer_text(&wanted)) == 0,
             "list(prefix \"%s\", after \"%s\", limit %u) should be\n%sand is\n%s", prefix, after == NULL ? "" : after,
             limit, bo_buffer_text(&wanted), bo_buffer_text(&found));
  CONF_HOLDS(more == wanted_more, "list(prefix \"%s\", after \"%s\", limit %u) says that there %s more", prefix,
             after == NULL ? "" : after, limit, more ? "are" : "are no");
}

static void lists(struct conf *conf) {
  static const char *const prefixes[] = {"", "a", "a/", "a/b", "b/1", "nothing"};
  struct conf_store store;
  bool there[SORTED];
  conf_must_open(&store, conf);
  for (size_t i = SORTED; i-- > 0;) /* a folder cannot hold "a" beside "a/b" */
    there[i] = conf_put(&store, conf_key(conf, sorted[i]).text, some_bytes, SOME_SIZE, NULL) == BO_OK;
  for (size_t p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++) {
    for (uint32_t limit = 1; limit <= SORTED + 1; limit++)
      check_list(&store, prefixes[p], NULL, limit, there);
    for (size_t i = 0; i < SORTED; i++)
      check_list(&store, prefixes[p], sorted[i], 2, there);
  }
  conf_store_close(&store);
}

static int stop_at_second(void *context, const char *key, const struct bo_object *object) {
  unsigned *count = context;
  (void)key, (void)object;
  CONF_HOLDS(++*count <= 2, "list() went on after it was told to stop");
  return *count == 2;
}

static void list_stops(struct conf *conf) {
  struct conf_store store;
  unsigned count = 0;
  int more = 0;
  conf_must_open(&store, conf);
  for (char name[] = "a"; name[0] < 'f'; name[0]++)
    conf_must_put(&store, conf_key(conf, name).text, some_bytes, SOME_SIZE, NULL);
  CONF_HOLDS(CONF_STORE(&store, list, store.instance, conf->prefix, NULL, 100, stop_at_second, &count, &more) == BO_OK,
             "a listing that was told to stop failed: %s", store.error.text);
  conf_store_close(&store);
}

/* The number in a key k00 to k39 of this rule, or -1. */
static int64_t key_number(const struct conf *conf, const char *key) {
  const char *name = key + strlen(conf->prefix);
  return name[0] == 'k' ? strtol(name + 1, NULL, 10) : -1;
}

/* Between two pages the object that was given last goes, and a new one comes. */
static void list_while_changing(struct conf *conf) {
  enum { KEYS = 40, PAGE = 7 };
  struct conf_store store;
  char after[BO_KEY_MAX + 1] = "", name[32];
  unsigned seen[KEYS] = {0};
  bool removed[KEYS] = {false}, more = true;
  BO_CLEANUP_BUFFER struct bo_buffer page = BO_BUFFER_INIT;
  conf_must_open(&store, conf);
  for (int i = 0; i < KEYS; i++) {
    (void)snprintf(name, sizeof(name), "k%02d", i);
    conf_must_put(&store, conf_key(conf, name).text, some_bytes, SOME_SIZE, NULL);
  }
  for (int round = 0; more; round++) {
    CONF_HOLDS(round < KEYS, "page after page, a listing does not come to its end");
    CONF_HOLDS(conf_list(&store, conf->prefix, after, PAGE, &page, &more) == BO_OK, "list() failed: %s",
               store.error.text);
    char *rest = page.bytes;
    for (char *line; page.size > 0 && (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
      (void)snprintf(after, sizeof(after), "%s", line);
      int64_t number = key_number(conf, line);
      if (number >= 0 && number < KEYS) seen[number]++;
    }
    int64_t last = key_number(conf, after);
    if (last >= 0 && last < KEYS) removed[last] = true;
    (void)CONF_STORE(&store, remove, store.instance, after, NULL);
    (void)snprintf(name, sizeof(name), "j%02d", round);
    conf_must_put(&store, conf_key(conf, name).text, some_bytes, SOME_SIZE, NULL);
  }
  for (int i = 0; i < KEYS; i++)
    CONF_HOLDS(removed[i] || seen[i] == 1,
               "while others came and went between the pages, an object that stayed was listed %u times", seen[i]);
  conf_store_close(&store);
}

/* ---- STO-026 to STO-029: reading ---- */

static void ranges(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct bo_object object = {.size = sizeof(object)};
  BO_CLEANUP_BUFFER struct bo_buffer bytes = BO_BUFFER_INIT;
  void *get = NULL;
  conf_must_open(&store, conf);
  conf_must_put(&store, key.text, some_bytes, SOME_SIZE, NULL);
  for (size_t offset = 0; offset <= SOME_SIZE; offset++) {
    CONF_HOLDS(conf_get(&store, key.text, offset, NULL, 4096, &bytes) == BO_OK, "reading from byte %zu of %zu: %s",
               offset, SOME_SIZE, store.error.text);
    CONF_HOLDS(bytes.size == SOME_SIZE - offset && memcmp(bo_buffer_text(&bytes), some_bytes + offset, bytes.size) == 0,
               "reading from byte %zu of %zu gives \"%.100s\"", offset, SOME_SIZE, bo_buffer_text(&bytes));
  }
  for (uint64_t past = SOME_SIZE + 1; past < UINT64_C(1) << 62; past *= 1000)
    CONF_HOLDS(CONF_STORE(&store, get_open, store.instance, key.text, past, NULL, &object, &get) != BO_OK &&
                   store.error.error_class == BO_CLASS_CONFIG,
               "an offset of %llu in an object of %zu bytes is not an error of the class config: %s",
               (unsigned long long)past, SOME_SIZE, store.error.text);
  conf_store_close(&store);
}

static void reads_of_any_size(struct conf *conf) {
  enum { BYTES = 20000 };
  static const size_t capacities[] = {1, 2, 777, 4096, 65536, 1 << 20};
  static unsigned char noise[BYTES];
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  BO_CLEANUP_BUFFER struct bo_buffer bytes = BO_BUFFER_INIT;
  conf_noise(noise, sizeof(noise), 2);
  conf_must_open(&store, conf);
  conf_must_put(&store, key.text, noise, sizeof(noise), NULL);
  for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
    CONF_HOLDS(conf_get(&store, key.text, 0, NULL, capacities[i], &bytes) == BO_OK, "reading %zu bytes at a time: %s",
               capacities[i], store.error.text);
    CONF_HOLDS(bytes.size == sizeof(noise) && memcmp(bytes.bytes, noise, sizeof(noise)) == 0,
               "reading at most %zu bytes at a time gives %zu bytes of %zu, or other ones", capacities[i], bytes.size,
               sizeof(noise));
  }
  conf_store_close(&store);
}

static void get_if_match(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct bo_object first = {.size = sizeof(first)}, second = {.size = sizeof(second)};
  BO_CLEANUP_BUFFER struct bo_buffer bytes = BO_BUFFER_INIT;
  conf_must_open(&store, conf);
  conf_must_put(&store, key.text, some_bytes, SOME_SIZE, &first);
  CONF_HOLDS(conf_get(&store, key.text, 0, first.etag, 4096, &bytes) == BO_OK, "with the object's own etag: %s",
             store.error.text);
  conf_must_put(&store, key.text, "something else", 14, &second);
  CONF_HOLDS(conf_get(&store, key.text, 0, first.etag, 4096, &bytes) != BO_OK,
             "with the etag of an object that was replaced, the new one is read");
  CONF_HOLDS(store.error.error_class == BO_CLASS_CONFLICT,
             "with the etag of an object that was replaced, the error's class is %d, not conflict",
             store.error.error_class);
  conf_store_close(&store);
}

static void replaced_while_read(struct conf *conf) {
  enum { BYTES = 1 << 20, CAPACITY = 1 << 15 };
  static unsigned char first[BYTES], second[BYTES / 2], part[CAPACITY];
  struct conf_store store, other;
  struct conf_key key = conf_key(conf, "object");
  struct bo_object object = {.size = sizeof(object)};
  void *get = NULL;
  size_t position = 0, size = 1;
  int result = BO_OK;
  memset(first, 'f', sizeof(first));
  memset(second, 's', sizeof(second));
  conf_must_open(&store, conf);
  conf_must_open(&other, conf);
  conf_must_put(&store, key.text, first, sizeof(first), NULL);
  CONF_HOLDS(CONF_STORE(&store, get_open, store.instance, key.text, 0, NULL, &object, &get) == BO_OK,
             "get_open() failed: %s", store.error.text);
  for (int i = 0; result == BO_OK && size > 0; i++) {
    result = CONF_STORE(&store, get_read, get, part, sizeof(part), &size);
    for (size_t j = 0; result == BO_OK && j < size; j++)
      CONF_HOLDS(part[j] == 'f', "after byte %zu the reader of an object was given bytes of the one that replaced it",
                 position + j);
    if (result == BO_OK) position += size;
    if (i == 0) conf_must_put(&other, key.text, second, sizeof(second), NULL);
  }
  if (result == BO_OK)
    CONF_HOLDS(position == sizeof(first),
               "an object was replaced while it was read: of its %d bytes, the reader was "
               "given %zu, and then an end",
               BYTES, position);
  store.operations->get_close(get);
  conf_store_close(&other);
  conf_store_close(&store);
}

/* ---- STO-030 to STO-032 ---- */

static void removes(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "folder/object"), other = conf_key(conf, "folder/object-2");
  conf_must_open(&store, conf);
  conf_must_put(&store, key.text, some_bytes, SOME_SIZE, NULL);
  conf_must_put(&store, other.text, some_bytes, SOME_SIZE, NULL);
  CONF_HOLDS(CONF_STORE(&store, remove, store.instance, key.text, NULL) == BO_OK, "remove() failed: %s",
             store.error.text);
  conf_must_be_absent(&store, key.text, "after remove()");
  conf_must_be(&store, other.text, some_bytes, SOME_SIZE, "after remove() of another key");
  CONF_HOLDS(CONF_STORE(&store, remove, store.instance, key.text, NULL) == BO_ERROR &&
                 store.error.error_class == BO_CLASS_NOT_FOUND,
             "the second remove() of a key is not BO_ERROR with the class not-found: %s", store.error.text);
  conf_must_put(&store, key.text, some_bytes, SOME_SIZE, NULL);
  conf_must_be(&store, key.text, some_bytes, SOME_SIZE, "stored again after remove()");
  conf_store_close(&store);
}

static void remove_if_match(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct bo_object first = {.size = sizeof(first)}, second = {.size = sizeof(second)};
  conf_must_open(&store, conf);
  conf_must_put(&store, key.text, some_bytes, SOME_SIZE, &first);
  conf_must_put(&store, key.text, "something else", 14, &second);
  CONF_HOLDS(CONF_STORE(&store, remove, store.instance, key.text, first.etag) != BO_OK,
             "remove() with the etag of an object that was replaced succeeds");
  CONF_HOLDS(store.error.error_class == BO_CLASS_CONFLICT,
             "remove() with the etag of an object that was replaced: the error's class is %d, not conflict",
             store.error.error_class);
  conf_must_be(&store, key.text, "something else", 14, "after remove() with another object's etag");
  CONF_HOLDS(CONF_STORE(&store, remove, store.instance, key.text, second.etag) == BO_OK,
             "remove() with the object's own etag failed: %s", store.error.text);
  conf_must_be_absent(&store, key.text, "after remove()");
  conf_store_close(&store);
}

static void etags_change(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct bo_object object = {.size = sizeof(object)};
  char last[BO_ETAG_MAX] = "";
  conf_must_open(&store, conf);
  for (char content[] = "version 0"; content[8] <= '9'; content[8]++) {
    conf_must_put(&store, key.text, content, sizeof(content), &object);
    CONF_HOLDS(strcmp(object.etag, last) != 0,
               "an object was replaced by one of the same size, and its etag is still "
               "\"%s\"",
               last);
    memcpy(last, object.etag, sizeof(last));
  }
  conf_store_close(&store);
}

const struct conf_rule conf_object_rules[] = {
    {.id = "STO-020",
     .kinds = CONF_STORAGE,
     .after = "LIF-001",
     .sentence = "stat and get_open of a key without an object are BO_ERROR with the class not-found.",
     .why = "The host decides by it: not there is an answer, and no fault of the network that it should try again.",
     .mend = "Translate the backend's own code (404, ENOENT) for that to BO_CLASS_NOT_FOUND, everywhere.",
     .run = missing_is_not_found},
    {.id = "STO-021",
     .kinds = CONF_STORAGE,
     .after = "STO-020",
     .sentence = "An odd key (spaces, UTF-8, +, //, .., 1,024 bytes) is held under just that name, or refused with "
                 "the class config.",
     .why = "Keys are made from users' templates. One that is changed on the way cannot be found again.",
     .mend = "Encode for the backend in one place, and decode in listings; say which part of a key cannot be held.",
     .run = odd_keys},
    {.id = "STO-022",
     .kinds = CONF_STORAGE,
     .after = "STO-021",
     .sentence = "No two keys are one object, however alike they look.",
     .why = "One backup would silently take the place of another.",
     .mend = "Encode reversibly; on a backend that folds names (case, Unicode forms), refuse what it would fold.",
     .run = alike_keys},
    {.id = "STO-023",
     .kinds = CONF_STORAGE,
     .after = "STO-020",
     .sentence = "list gives what is under the prefix and after the key, in byte order, up to the limit, and says "
                 "whether there is more.",
     .why = "Rotation removes what a listing says. An object too many is lost, one too few is kept for ever.",
     .mend = "A prefix is bytes, not a folder; compare keys with strcmp; ask for one more than the limit.",
     .run = lists},
    {.id = "STO-024",
     .kinds = CONF_STORAGE,
     .after = "STO-023",
     .sentence = "list ends, with BO_OK, as soon as it is told to stop.",
     .why = "What is told to stop may have freed what it would be called with.",
     .mend = "Look at what `each` returns after every object, also in the middle of a page of the backend's.",
     .run = list_stops},
    {.id = "STO-025",
     .kinds = CONF_STORAGE,
     .after = "STO-023",
     .sentence = "Page by page, while objects come and go, each object that stays is listed once.",
     .why = "A storage that is in use changes all the time.",
     .mend = "Go on after the key that was given, not at a position.",
     .run = list_while_changing},
    {.id = "STO-026",
     .kinds = CONF_STORAGE,
     .after = "STO-020",
     .sentence = "Reading from any offset gives the rest; from the end nothing; past the end is an error of the class "
                 "config.",
     .why = "A restore whose connection was cut goes on where it was.",
     .mend = "Mind that a range that begins at the object's end is an error of its own for many servers (416).",
     .run = ranges},
    {.id = "STO-027",
     .kinds = CONF_STORAGE,
     .after = "STO-020",
     .sentence = "An object is the same, read in pieces of any size, and its end comes only at its end.",
     .why = "A size of 0 means the end, and the host believes it.",
     .mend = "When there is nothing yet, wait; give 0 only when the whole length was given.",
     .run = reads_of_any_size},
    {.id = "STO-028",
     .kinds = CONF_STORAGE,
     .after = "STO-002",
     .sentence = "get_open with the etag of an object that was replaced is an error of the class conflict.",
     .why = "What was verified first and is restored then must be the same object.",
     .mend = "Hand the etag to the backend as its If-Match, and translate 412 to BO_CLASS_CONFLICT.",
     .run = get_if_match},
    {.id = "STO-029",
     .kinds = CONF_STORAGE,
     .after = "STO-013",
     .sentence = "Who reads an object while it is replaced gets the old one whole, or an error: no mixture, no early "
                 "end.",
     .why = "A backup that runs while another is restored must not get into it.",
     .mend = "Hold the old one open, or send If-Match with every further request of one get.",
     .run = replaced_while_read},
    {.id = "STO-030",
     .kinds = CONF_STORAGE,
     .after = "STO-020",
     .sentence = "remove takes away just its key; the second time it is not-found; then the key can be used again.",
     .why = "Rotation removes backups, and must know which are gone.",
     .mend = "Look first where the backend's own remove succeeds for what is not there.",
     .run = removes},
    {.id = "STO-031",
     .kinds = CONF_STORAGE,
     .after = "STO-030",
     .sentence = "remove with the etag of an object that was replaced is a conflict, and leaves the new one.",
     .why = "Only what is known to be the run's own is removed.",
     .mend = "Compare and remove in one step, by the backend's If-Match or under a lock.",
     .run = remove_if_match},
    {.id = "STO-032",
     .kinds = CONF_STORAGE,
     .after = "STO-002",
     .sentence = "The etag changes whenever an object is replaced by another one, also by one of the same size.",
     .why = "By it the host tells whether an object is the one that it verified.",
     .mend = "Make it from the content, or from something that is new with each commit; seconds are too coarse.",
     .run = etags_change},
    {.id = NULL},
};
