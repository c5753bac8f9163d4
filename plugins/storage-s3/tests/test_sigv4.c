/* Signature Version 4 and the encoder of addresses: the cases of the published test suite, and S3's own examples. */
#include "plugins/storage-s3/storage-s3.h"
#include "tests/support/unit.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ACCESS "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static void check_signature(struct s3_signing signing, const char *wanted) {
  struct bo_buffer authorization = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(s3_sign(&signing, &authorization, &error), BO_OK);
  const char *found = strstr(authorization.bytes, "Signature=");
  ck_assert_ptr_nonnull(found);
  ck_assert_str_eq(found + strlen("Signature="), wanted);
  ck_assert_ptr_null(strstr(authorization.bytes, signing.secret_key));
  bo_buffer_free(&authorization);
}

/* ---- the suite: host and date are signed */

static const struct bo_pair plain[] = {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}};

static struct s3_signing suite(const char *method, const char *path, const char *query) {
  return (struct s3_signing){.access_key = ACCESS,
                             .secret_key = SECRET,
                             .region = "us-east-1",
                             .service = "service",
                             .time = "20150830T123600Z",
                             .method = method,
                             .path = path,
                             .query = query,
                             .payload_sha256 = EMPTY,
                             .headers = plain,
                             .header_count = 2};
}

static const struct {
  const char *key; /* of the path, to be encoded */
  struct bo_pair query[3];
  size_t query_count;
  const char *method;
  const char *signature;
} cases[] = {
    {"/", {{NULL, NULL}}, 0, "GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"/", {{NULL, NULL}}, 0, "POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"/\xe1\x88\xb4", {{NULL, NULL}}, 0, "GET", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     {{NULL, NULL}},
     0,
     "GET",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"/",
     {{"Param2", "value2"}, {"Param1", "value1"}},
     2,
     "GET",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"/",
     {{"Param1", "value2"}, {"Param1", "Value1"}},
     2,
     "GET",
     "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"},
    {"/", {{"Param1", "value1"}}, 1, "GET", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"/", {{"\xe1\x88\xb4", "bar"}}, 1, "GET", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
};

START_TEST(a_case_of_the_suite) {
  struct bo_buffer path = BO_BUFFER_INIT;
  struct bo_buffer query = BO_BUFFER_INIT;
  s3_uri_encode(&path, cases[_i].key, true);
  ck_assert_int_eq(s3_uri_query(&query, cases[_i].query, cases[_i].query_count, NULL), BO_OK);
  check_signature(suite(cases[_i].method, path.bytes, bo_buffer_text(&query)), cases[_i].signature);
  bo_buffer_free(&path);
  bo_buffer_free(&query);
}
END_TEST

START_TEST(header_values_are_trimmed_and_their_blanks_folded) {
  const struct bo_pair headers[] = {{"host", "example.amazonaws.com"},
                                    {"my-header1", "  value1"},
                                    {"my-header2", " \"a   b   c\""},
                                    {"x-amz-date", "20150830T123600Z"}};
  struct s3_signing signing = suite("GET", "/", "");
  signing.headers = headers;
  signing.header_count = 4;
  check_signature(signing, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}
END_TEST

START_TEST(a_body_is_signed) {
  const struct bo_pair headers[] = {{"content-type", "application/x-www-form-urlencoded"},
                                    {"host", "example.amazonaws.com"},
                                    {"x-amz-date", "20150830T123600Z"}};
  struct s3_signing signing = suite("POST", "/", "");
  signing.headers = headers;
  signing.header_count = 3;
  signing.payload_sha256 = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
  check_signature(signing, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}
END_TEST

/* ---- Amazon S3's examples ("Authenticating requests: using the Authorization header") */

static struct s3_signing s3_example(const char *method, const char *path, const char *query) {
  return (struct s3_signing){.access_key = "AKIAIOSFODNN7EXAMPLE",
                             .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                             .region = "us-east-1",
                             .service = "s3",
                             .time = "20130524T000000Z",
                             .method = method,
                             .path = path,
                             .query = query,
                             .payload_sha256 = EMPTY};
}

START_TEST(s3_get_with_a_range) {
  const struct bo_pair headers[] = {{"host", "examplebucket.s3.amazonaws.com"},
                                    {"range", "bytes=0-9"},
                                    {"x-amz-content-sha256", EMPTY},
                                    {"x-amz-date", "20130524T000000Z"}};
  struct s3_signing signing = s3_example("GET", "/test.txt", "");
  signing.headers = headers;
  signing.header_count = 4;
  check_signature(signing, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}
END_TEST

START_TEST(s3_put_of_a_key_with_a_dollar) {
  static const char hash[] = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
  const struct bo_pair headers[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                    {"host", "examplebucket.s3.amazonaws.com"},
                                    {"x-amz-content-sha256", hash},
                                    {"x-amz-date", "20130524T000000Z"},
                                    {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  struct bo_buffer path = BO_BUFFER_INIT;
  s3_uri_encode(&path, "/test$file.text", true);
  struct s3_signing signing = s3_example("PUT", path.bytes, "");
  signing.headers = headers;
  signing.header_count = 5;
  signing.payload_sha256 = hash;
  check_signature(signing, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  bo_buffer_free(&path);
}
END_TEST

START_TEST(s3_queries) {
  const struct bo_pair headers[] = {
      {"host", "examplebucket.s3.amazonaws.com"}, {"x-amz-content-sha256", EMPTY}, {"x-amz-date", "20130524T000000Z"}};
  struct s3_signing signing = s3_example("GET", "/", "lifecycle=");
  signing.headers = headers;
  signing.header_count = 3;
  check_signature(signing, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  signing.query = "max-keys=2&prefix=J";
  check_signature(signing, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}
END_TEST

START_TEST(the_time_of_a_signature) {
  char text[17];
  s3_signing_time(INT64_C(1440938160), text);
  ck_assert_str_eq(text, "20150830T123600Z");
}
END_TEST

/* ---- addresses */

START_TEST(keys_are_encoded_once_and_never_normalised) {
  struct bo_buffer out = BO_BUFFER_INIT;
  s3_uri_encode(&out, "a b/c+d//e/../f~g?h#i%20j&k=\xc3\xa4", true);
  ck_assert_str_eq(out.bytes, "a%20b/c%2Bd//e/../f~g%3Fh%23i%2520j%26k%3D%C3%A4");
  bo_buffer_clear(&out);
  s3_uri_encode(&out, "a/b", false);
  ck_assert_str_eq(out.bytes, "a%2Fb");
  bo_buffer_free(&out);
}
END_TEST

START_TEST(queries_are_sorted_by_name_then_value) {
  const struct bo_pair pairs[] = {{"key-marker", "x"}, {"key", "b"},    {"key1", "y"},
                                  {"key", "a"},        {"uploads", ""}, {"Key", "z/ +"}};
  struct bo_buffer out = BO_BUFFER_INIT;
  ck_assert_int_eq(s3_uri_query(&out, pairs, 6, NULL), BO_OK);
  ck_assert_str_eq(out.bytes, "Key=z%2F%20%2B&key=a&key=b&key-marker=x&key1=y&uploads=");
  bo_buffer_free(&out);
}
END_TEST

START_TEST(decoding_undoes_encoding_and_refuses_nonsense) {
  char good[] = "a%20b+c%2B%C3%a4";
  ck_assert(s3_uri_decode(good));
  ck_assert_str_eq(good, "a b c+\xc3\xa4");
  char bad[][8] = {"a%", "a%2", "a%2g", "a%g2", "a%00b"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    ck_assert_msg(!s3_uri_decode(bad[i]), "%zu was taken", i);
}
END_TEST

int main(void) {
  Suite *suite_ = suite_create("sigv4");
  TCase *tcase = tcase_create("sigv4");
  tcase_add_loop_test(tcase, a_case_of_the_suite, 0, (int)(sizeof(cases) / sizeof(cases[0])));
  tcase_add_test(tcase, header_values_are_trimmed_and_their_blanks_folded);
  tcase_add_test(tcase, a_body_is_signed);
  tcase_add_test(tcase, s3_get_with_a_range);
  tcase_add_test(tcase, s3_put_of_a_key_with_a_dollar);
  tcase_add_test(tcase, s3_queries);
  tcase_add_test(tcase, the_time_of_a_signature);
  tcase_add_test(tcase, keys_are_encoded_once_and_never_normalised);
  tcase_add_test(tcase, queries_are_sorted_by_name_then_value);
  tcase_add_test(tcase, decoding_undoes_encoding_and_refuses_nonsense);
  suite_add_tcase(suite_, tcase);
  return unit_main(suite_);
}
