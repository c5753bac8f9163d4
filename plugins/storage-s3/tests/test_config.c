/* Parameters, the address that follows from them, credentials; and answers in XML. */
#include "core/plugin/config.h"

#include "plugins/storage-s3/storage-s3.h"
#include "tests/support/fake_host.h"
#include "tests/support/unit.h"

struct rig {
  struct bo_parsed_config parsed;
  struct s3_config config;
  struct s3_credentials credentials;
  struct bo_arena secrets;
  struct bo_error error;
};

static const struct bo_secret good_secrets[] = {{"AWS_ACCESS_KEY_ID", (const unsigned char *)"id\n", 3},
                                                {"AWS_SECRET_ACCESS_KEY", (const unsigned char *)"key", 3}};

/* Pairs "name", "value", ..., NULL. */
static int read_config(struct rig *rig, const struct bo_secret *secrets, size_t secret_count,
                       const char *const *texts) {
  struct bo_pair pairs[16];
  size_t count = 0;
  struct fake_host fake;
  for (; texts[2 * count] != NULL; count++)
    pairs[count] = (struct bo_pair){texts[2 * count], texts[2 * count + 1]};
  *rig = (struct rig){.secrets = BO_ARENA_INIT, .error = BO_ERROR_INIT};
  const struct bo_plugin *plugin = bo_plugin_init(fake_host_open(&fake), &rig->error);
  ck_assert_ptr_nonnull(plugin);
  int result = bo_config_parse(plugin, plugin->params, pairs, count, secrets, secret_count, &rig->parsed, &rig->error);
  if (result == BO_OK) result = s3_config_read(&rig->config, &rig->parsed.table, &rig->error);
  if (result == BO_OK)
    result = s3_config_credentials(&rig->credentials, &rig->secrets, &rig->parsed.table, &rig->error);
  fake_host_close(&fake);
  return result;
}

static void drop(struct rig *rig) {
  bo_config_free(&rig->parsed);
  s3_config_free(&rig->config);
  bo_arena_free(&rig->secrets);
}

static const struct {
  const char *texts[12];
  const char *origin;
  const char *path;
} addresses[] = {
    {{"bucket", "my-bucket", NULL}, "https://my-bucket.s3.us-east-1.amazonaws.com", ""},
    {{"bucket", "my-bucket", "region", "eu-west-1", NULL}, "https://my-bucket.s3.eu-west-1.amazonaws.com", ""},
    {{"bucket", "my-bucket", "region", "cn-north-1", NULL}, "https://my-bucket.s3.cn-north-1.amazonaws.com.cn", ""},
    {{"bucket", "my-bucket", "s3ForcePathStyle", "T", NULL}, "https://s3.us-east-1.amazonaws.com", "/my-bucket"},
    {{"bucket", "b.dots", NULL}, "https://s3.us-east-1.amazonaws.com", "/b.dots"},
    {{"bucket", "b.dots", "endpoint", "s3.example.com", "insecure", "1", NULL}, "http://b.dots.s3.example.com", ""},
    {{"bucket", "Upper_Case", "endpoint", "s3.example.com", NULL}, "https://s3.example.com", "/Upper_Case"},
    {{"bucket", "bbb", "endpoint", "s3.example.com:9000", NULL}, "https://bbb.s3.example.com:9000", ""},
    {{"bucket", "bbb", "endpoint", "s3.example.com:443", NULL}, "https://bbb.s3.example.com", ""},
    {{"bucket", "bbb", "endpoint", "s3.example.com:80", "insecure", "true", NULL}, "http://bbb.s3.example.com", ""},
    {{"bucket", "bbb", "endpoint", "http://s3.example.com/", NULL}, "http://bbb.s3.example.com", ""},
    {{"bucket", "bbb", "endpoint", "https://s3.example.com", "insecure", "true", NULL},
     "https://bbb.s3.example.com",
     ""},
    {{"bucket", "bbb", "endpoint", "127.0.0.1:9000", "insecure", "true", NULL}, "http://127.0.0.1:9000", "/bbb"},
    {{"bucket", "bbb", "endpoint", "[::1]:9000", "insecure", "true", NULL}, "http://[::1]:9000", "/bbb"},
    {{"bucket", "bbb", "endpoint", "[::1]", NULL}, "https://[::1]", "/bbb"},
};

START_TEST(an_address) {
  struct rig rig;
  int result = read_config(&rig, good_secrets, 2, addresses[_i].texts);
  ck_assert_msg(result == BO_OK, "%s", rig.error.text);
  ck_assert_str_eq(rig.config.origin, addresses[_i].origin);
  ck_assert_str_eq(rig.config.path, addresses[_i].path);
  ck_assert_str_eq(rig.config.host, strstr(addresses[_i].origin, "//") + 2);
  ck_assert(rig.config.tls == (strncmp(addresses[_i].origin, "https", 5) == 0));
  drop(&rig);
}
END_TEST

static const struct {
  const char *texts[8];
  const char *said;
} wrong[] = {
    {{NULL}, "bucket"},
    {{"bucket", "a/b", NULL}, "prefix"},
    {{"bucket", "a b", NULL}, "bucket"},
    {{"bucket", "bbb", "endpoint", "https://", NULL}, "endpoint"},
    {{"bucket", "bbb", "endpoint", "host:0", NULL}, "endpoint"},
    {{"bucket", "bbb", "endpoint", "host:port", NULL}, "endpoint"},
    {{"bucket", "bbb", "endpoint", "host/path", NULL}, "endpoint"},
    {{"bucket", "bbb", "endpoint", "user@host", NULL}, "endpoint"},
    {{"bucket", "bbb", "endpoint", "[::1", NULL}, "endpoint"},
    {{"bucket", "bbb", "region", "a\r\nb", NULL}, "region"},
    {{"bucket", "bbb", "storageClass", "a\nb", NULL}, "storageClass"},
    {{"bucket", "bbb", "partSize", "1MiB", NULL}, "partSize"},
    {{"bucket", "bbb", "partSize", "64MiB", "memoryLimit", "32MiB", NULL}, "memoryLimit"},
    {{"bucket", "bbb", "maxParts", "0", NULL}, "maxParts"},
    {{"bucket", "bbb", "insecure", "yes", NULL}, "insecure"},
    {{"bucket", "bbb", "accessKey", "other", NULL}, "accessKey"},
    {{"bucket", "bbb", "secretKey", "other", NULL}, "secretKey"},
    {{"bucket", "bbb", "sessionToken", "other", NULL}, "sessionToken"},
};

START_TEST(a_wrong_parameter) {
  struct rig rig;
  ck_assert_int_eq(read_config(&rig, good_secrets, 2, wrong[_i].texts), BO_ERROR);
  ck_assert_int_eq(rig.error.error_class, BO_CLASS_CONFIG);
  ck_assert_msg(strstr(rig.error.text, wrong[_i].said) != NULL, "%s", rig.error.text);
  drop(&rig);
}
END_TEST

START_TEST(a_prefix_is_a_folder) {
  static const struct {
    const char *given;
    const char *wanted;
  } prefixes[] = {{"", ""}, {"/", ""}, {"a", "a/"}, {"/a/b", "a/b/"}, {"a/b/", "a/b/"}};
  for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
    struct rig rig;
    const char *texts[] = {"bucket", "bbb", "prefix", prefixes[i].given, NULL};
    ck_assert_int_eq(read_config(&rig, good_secrets, 2, texts), BO_OK);
    ck_assert_str_eq(rig.config.prefix, prefixes[i].wanted);
    drop(&rig);
  }
}
END_TEST

/* ---- credentials */

static const char *const only_bucket[] = {"bucket", "bbb", NULL};

static void clear_environment(void) {
  (void)unsetenv("AWS_ACCESS_KEY_ID");
  (void)unsetenv("AWS_SECRET_ACCESS_KEY");
  (void)unsetenv("AWS_SESSION_TOKEN");
}

START_TEST(the_secret_comes_first) {
  struct rig rig;
  (void)setenv("AWS_ACCESS_KEY_ID", "other", 1);
  (void)setenv("AWS_SECRET_ACCESS_KEY", "other", 1);
  (void)setenv("AWS_SESSION_TOKEN", "other", 1);
  ck_assert_int_eq(read_config(&rig, good_secrets, 2, only_bucket), BO_OK);
  ck_assert_str_eq(rig.credentials.access_key, "id");
  ck_assert_str_eq(rig.credentials.secret_key, "key");
  ck_assert_ptr_null(rig.credentials.session_token);
  drop(&rig);
}
END_TEST

START_TEST(then_the_environment) {
  struct rig rig;
  clear_environment();
  ck_assert_int_eq(read_config(&rig, NULL, 0, only_bucket), BO_ERROR);
  ck_assert_int_eq(rig.error.error_class, BO_CLASS_CONFIG);
  drop(&rig);
  (void)setenv("AWS_ACCESS_KEY_ID", "env-id", 1);
  ck_assert_int_eq(read_config(&rig, NULL, 0, only_bucket), BO_ERROR);
  ck_assert_ptr_nonnull(strstr(rig.error.text, "AWS_SECRET_ACCESS_KEY"));
  drop(&rig);
  (void)setenv("AWS_SECRET_ACCESS_KEY", "env-key", 1);
  (void)setenv("AWS_SESSION_TOKEN", "env-token", 1);
  ck_assert_int_eq(read_config(&rig, NULL, 0, only_bucket), BO_OK);
  ck_assert_str_eq(rig.credentials.access_key, "env-id");
  ck_assert_str_eq(rig.credentials.session_token, "env-token");
  drop(&rig);
}
END_TEST

START_TEST(named_entries_of_the_secret) {
  static const struct bo_secret secrets[] = {
      {"a", (const unsigned char *)"A", 1}, {"s", (const unsigned char *)"S", 1}, {"t", (const unsigned char *)"T", 1}};
  const char *texts[] = {"bucket", "bbb", "accessKey", "a", "secretKey", "s", "sessionToken", "t", NULL};
  struct rig rig;
  clear_environment();
  ck_assert_int_eq(read_config(&rig, secrets, 3, texts), BO_OK);
  ck_assert_str_eq(rig.credentials.access_key, "A");
  ck_assert_str_eq(rig.credentials.secret_key, "S");
  ck_assert_str_eq(rig.credentials.session_token, "T");
  drop(&rig);
}
END_TEST

START_TEST(half_or_malformed_credentials_are_refused_and_never_quoted) {
  static const struct bo_secret cases[][2] = {
      {{"AWS_ACCESS_KEY_ID", (const unsigned char *)"id", 2}, {"x", (const unsigned char *)"", 0}},
      {{"AWS_ACCESS_KEY_ID", (const unsigned char *)"id", 2},
       {"AWS_SECRET_ACCESS_KEY", (const unsigned char *)"PRIVATE\nX: y", 12}},
      {{"AWS_ACCESS_KEY_ID", (const unsigned char *)"id", 2},
       {"AWS_SECRET_ACCESS_KEY", (const unsigned char *)"\n", 1}},
  };
  (void)setenv("AWS_SECRET_ACCESS_KEY", "PRIVATE", 1);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct rig rig;
    ck_assert_int_eq(read_config(&rig, cases[i], 2, only_bucket), BO_ERROR);
    ck_assert_int_eq(rig.error.error_class, BO_CLASS_CONFIG);
    ck_assert_ptr_nonnull(strstr(rig.error.text, "AWS_SECRET_ACCESS_KEY"));
    ck_assert_ptr_null(strstr(rig.error.text, "PRIVATE"));
    drop(&rig);
  }
}
END_TEST

/* ---- XML */

static int collect(void *context, const char *path, const char *text, struct bo_error *error) {
  (void)error;
  (void)bo_buffer_printf(context, "%s=%s;", path, text == NULL ? "-" : text);
  return BO_OK;
}

static int parse(const char *xml, struct bo_buffer *out, struct bo_error *error) {
  bo_buffer_clear(out);
  return s3_xml_parse(xml, strlen(xml), collect, out, error);
}

START_TEST(documents_become_paths_and_texts) {
  struct bo_buffer out = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(parse("  \n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"http://x/\"><A>1 &lt;&amp; 2</A>\n"
                         "<B><C>x</C><D/></B><A></A></R>",
                         &out, &error),
                   BO_OK);
  ck_assert_str_eq(out.bytes, "R/A=1 <& 2;R/B/C=x;R/B/D=;R/B=-;R/A=;R=-;");
  bo_buffer_free(&out);
}
END_TEST

START_TEST(what_is_no_whole_document_is_refused) {
  static const char *const bad[] = {
      "",
      "no xml",
      "<R><A>1</A>",
      "<R></S>",
      "<R/><R/>",
      "<!DOCTYPE R [<!ENTITY a \"aaaaaaaaaa\">]><R>&a;</R>",
      "<R>&undefined;</R>",
      "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></"
      "a></a>"
      "</a>",
      "<R>\xff</R>",
  };
  struct bo_buffer out = BO_BUFFER_INIT;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    struct bo_error error = BO_ERROR_INIT;
    ck_assert_msg(parse(bad[i], &out, &error) == BO_ERROR, "taken: %s", bad[i]);
    ck_assert_int_eq(error.error_class, BO_CLASS_PROTOCOL);
  }
  bo_buffer_free(&out);
}
END_TEST

START_TEST(a_text_without_end_is_refused) {
  struct bo_buffer xml = BO_BUFFER_INIT;
  struct bo_buffer out = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  (void)bo_buffer_append_text(&xml, "<R>");
  for (int i = 0; i < 2000; i++)
    (void)bo_buffer_append_text(&xml, "0123456789");
  (void)bo_buffer_append_text(&xml, "</R>");
  ck_assert_int_eq(parse(xml.bytes, &out, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_PROTOCOL);
  bo_buffer_free(&xml);
  bo_buffer_free(&out);
}
END_TEST

START_TEST(escaping) {
  struct bo_buffer out = BO_BUFFER_INIT;
  s3_xml_escape(&out, "a<b>&\"c'");
  ck_assert_str_eq(out.bytes, "a&lt;b&gt;&amp;&quot;c'");
  bo_buffer_free(&out);
}
END_TEST

START_TEST(etags_lose_their_quotes) {
  char etag[BO_ETAG_MAX];
  char longest[BO_ETAG_MAX + 2];
  s3_copy_etag(etag, "\"abc-2\"");
  ck_assert_str_eq(etag, "abc-2");
  s3_copy_etag(etag, "abc");
  ck_assert_str_eq(etag, "abc");
  s3_copy_etag(etag, "W/\"abc\"");
  ck_assert_str_eq(etag, "W/\"abc\"");
  memset(longest, 'x', sizeof(longest));
  longest[sizeof(longest) - 1] = '\0';
  s3_copy_etag(etag, longest);
  ck_assert_str_eq(etag, "");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("config");
  TCase *tcase = tcase_create("config");
  tcase_add_loop_test(tcase, an_address, 0, (int)(sizeof(addresses) / sizeof(addresses[0])));
  tcase_add_loop_test(tcase, a_wrong_parameter, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
  tcase_add_test(tcase, a_prefix_is_a_folder);
  tcase_add_test(tcase, the_secret_comes_first);
  tcase_add_test(tcase, then_the_environment);
  tcase_add_test(tcase, named_entries_of_the_secret);
  tcase_add_test(tcase, half_or_malformed_credentials_are_refused_and_never_quoted);
  tcase_add_test(tcase, documents_become_paths_and_texts);
  tcase_add_test(tcase, what_is_no_whole_document_is_refused);
  tcase_add_test(tcase, a_text_without_end_is_refused);
  tcase_add_test(tcase, escaping);
  tcase_add_test(tcase, etags_lose_their_quotes);
  suite_add_tcase(suite, tcase);
  return unit_main(suite);
}
