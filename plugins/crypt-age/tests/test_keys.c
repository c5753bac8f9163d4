/* Recipients and identities that are malformed or of a kind that is not supported: refused by name, and never quoted
 * where they are secret. And the encodings they are written in. */
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "plugins/crypt-age/base64.h"
#include "plugins/crypt-age/tests/support.h"

static struct setup setup;

#define SOUND "age1fwe802g5eg4j6semd5h9xm20yjjx8lx44nkfp0nv6jwfvg0kfyjsr9vafe"
#define SECRET "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"
#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"

struct refusal {
  const char *text;
  int class;
  const char *says;
};

static const struct refusal recipients[] = {
    {"age1fwe802g5eg4j6semd5h9xm20yjjx8lx44nkfp0nv6jwfvg0kfyjsr9vaff", BO_CLASS_CONFIG, "checksum"},
    {"age1fwe802g5eg4j6semd5h9xm20yjjx8lx44nkfp0nv6jwfvg0kfyjsr9vaf", BO_CLASS_CONFIG, "checksum"},
    {"age1fwe802g5eg4j6semd5h9xm20yjjx8lx44nkfp0nv6jwfvg0kfyjsr9vafE", BO_CLASS_CONFIG, "mixes upper and lower case"},
    {"age1fwe8o2g5eg4j6semd5h9xm20yjjx8lx44nkfp0nv6jwfvg0kfyjsr9vafe", BO_CLASS_CONFIG, "character"},
    {"age1fwe802g5eg4j6semd5h9xm20yjjx8lx44nkfp0nv6jwfvg0kfyjsr9vafe trailing", BO_CLASS_CONFIG, "character"},
    {"age1", BO_CLASS_CONFIG, "checksum"},
    {"AGE1FWE802G5EG4J6SEMD5H9XM20YJJX8LX44NKFP0NV6JWFVG0KFYJSR9VAFE", BO_CLASS_CONFIG, "none of age1..."},
    {"age1pq1qqqqqqqq", BO_CLASS_UNSUPPORTED, "ML-KEM-768"},
    {"age1yubikey1qqqqqqqq", BO_CLASS_UNSUPPORTED, "plugin \"yubikey\""},
    {"github:somebody", BO_CLASS_UNSUPPORTED, "not fetched"},
    {"-----BEGIN OPENSSH PRIVATE KEY-----", BO_CLASS_UNSUPPORTED, "give a public key"},
    {SECRET, BO_CLASS_UNSUPPORTED, "private key"},
    {"ecdsa-sha2-nistp256 AAAA", BO_CLASS_UNSUPPORTED, "ecdsa-sha2-nistp256 cannot encrypt"},
    {"sk-ssh-ed25519@openssh.com AAAA", BO_CLASS_UNSUPPORTED, "cannot encrypt"},
    {"ssh-dss AAAA", BO_CLASS_UNSUPPORTED, "cannot encrypt"},
    {"ssh-ed25519", BO_CLASS_CONFIG, "malformed"},
    {"ssh-ed25519 ????", BO_CLASS_CONFIG, "base64"},
    {ED25519 "NzQ/7yErOdSlH31q4fMfwAd0/3AarZPJYbOGro+myZ", BO_CLASS_CONFIG, "base64"},
    {ED25519 "NzQ/7yErOdSlH31q4fMfwAd0/3AarZPJYbOGro+", BO_CLASS_CONFIG, "malformed"},
    {ED25519 "NzQ/7yErOdSlH31q4fMfwAd0/3AarZPJYbOGro+myZQAAAA", BO_CLASS_CONFIG, "malformed"},
    /* y = 2, which no point of the curve has; and y = 1, the neutral point */
    {ED25519 "AIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", BO_CLASS_CONFIG, "no point of the curve"},
    {ED25519 "AEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", BO_CLASS_CONFIG, "no point of the curve"},
    {"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAINzQ/7yErOdSlH31q4fMfwAd0/3AarZPJYbOGro+myZQ", BO_CLASS_CONFIG, "malformed"},
    {"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ", BO_CLASS_CONFIG, "malformed"},
    {"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAABAD/AQE", BO_CLASS_CONFIG, "too weak"},
    {"a passphrase by mistake", BO_CLASS_CONFIG, "none of age1..."},
};

START_TEST(malformed_recipients_are_named) {
  const struct refusal *refusal = &recipients[_i];
  BO_CLEANUP_BUFFER struct bo_buffer list = BO_BUFFER_INIT;
  bo_buffer_printf(&list, "# first\n%s\n%s\n", SOUND, refusal->text);
  for (int in_list = 0; in_list < 2; in_list++) {
    setup_recipient(setup_init(&setup), SOUND);
    setup_recipient(&setup, in_list ? bo_buffer_text(&list) : refusal->text);
    CLEANUP_OUTCOME struct outcome outcome = transform(BO_ENCODE, &setup, "", 0, whole);
    ck_assert_msg(!outcome.opened, "%s was taken", refusal->text);
    const char *text = outcome.error.text;
    ck_assert_int_eq(outcome.error.error_class, refusal->class);
    ck_assert_msg(strstr(text, refusal->says) != NULL, "%s: %s", refusal->text, text);
    ck_assert_msg(strstr(text, in_list ? "recipient 2, line 3" : "recipient 2") != NULL, "%s", text);
    ck_assert_ptr_null(strstr(text, "EGTZVFFV"));
    ck_assert_ptr_null(strstr(text, "passphrase by mistake"));
  }
}
END_TEST

START_TEST(points_of_low_order_are_no_recipients) {
  /* Zero: the secret shared with it would always be zero. */
  setup_recipient(setup_init(&setup), "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z");
  CLEANUP_OUTCOME struct outcome outcome = transform(BO_ENCODE, &setup, "", 0, whole);
  ck_assert(!outcome.opened);
  ck_assert_ptr_nonnull(strstr(outcome.error.text, "low order"));
}
END_TEST

#define OPENSSH(body) "-----BEGIN OPENSSH PRIVATE KEY-----\n" body "\n-----END OPENSSH PRIVATE KEY-----\n"

static const struct refusal identities[] = {
    {"", BO_CLASS_CONFIG, "holds no key"},
    {"# only a comment\n\n", BO_CLASS_CONFIG, "holds no key"},
    {"AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM9", BO_CLASS_CONFIG, "checksum"},
    {"AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P", BO_CLASS_CONFIG, "checksum"},
    {"age-secret-key-1egtzvffv20835nwyv6270lxyvk2vknx2mmdkwyklmgr48uawx40q2p2lm0", BO_CLASS_CONFIG, "not the text"},
    {"AGE-SECRET-KEY-PQ-1EGTZVFFV", BO_CLASS_UNSUPPORTED, "ML-KEM-768"},
    {"AGE-PLUGIN-YUBIKEY-1EGTZVFFV", BO_CLASS_UNSUPPORTED, "plugins of age are not supported"},
    {"age-encryption.org/v1\n-> scrypt", BO_CLASS_UNSUPPORTED, "encrypted with age"},
    {"-----BEGIN AGE ENCRYPTED FILE-----\n", BO_CLASS_UNSUPPORTED, "encrypted with age"},
    {SOUND, BO_CLASS_UNSUPPORTED, "public key"},
    {"ssh-ed25519 AAAA", BO_CLASS_UNSUPPORTED, "public key"},
    {"EGTZVFFV20835", BO_CLASS_CONFIG, "not the text of an age key"},
    {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,EGTZVFFV\n\nAAAA\n"
     "-----END RSA PRIVATE KEY-----\n",
     BO_CLASS_UNSUPPORTED, "encrypted with a passphrase"},
    {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nEGTZVFFV\n", BO_CLASS_UNSUPPORTED, "encrypted with a passphrase"},
    {"-----BEGIN EC PRIVATE KEY-----\nEGTZVFFV\n", BO_CLASS_UNSUPPORTED, "cannot decrypt"},
    {"-----BEGIN CERTIFICATE-----\nEGTZVFFV\n", BO_CLASS_CONFIG, "not in a format that is known"},
    {"-----BEGIN PRIVATE KEY-----\nEGTZVFFV\n", BO_CLASS_CONFIG, "malformed"},
    {"-----BEGIN PRIVATE KEY-----\nEGTZVFFV\n-----END RSA PRIVATE KEY-----\n", BO_CLASS_CONFIG, "malformed"},
    {"-----BEGIN RSA PRIVATE KEY-----\nEGTZVFFV\n-----END RSA PRIVATE KEY-----\n", BO_CLASS_CONFIG, "malformed"},
    {OPENSSH("EGTZVFFV"), BO_CLASS_CONFIG, "malformed"},
    {OPENSSH("EGT?VFFV"), BO_CLASS_CONFIG, "malformed"},
    {OPENSSH(""), BO_CLASS_CONFIG, "malformed"},
};

START_TEST(malformed_identities_are_named_but_not_quoted) {
  const struct refusal *refusal = &identities[_i];
  setup_identity(setup_init(&setup), SECRET);
  setup_identity(&setup, refusal->text);
  CLEANUP_OUTCOME struct outcome outcome = transform(BO_DECODE, &setup, "", 0, whole);
  ck_assert_msg(!outcome.opened, "identity %d was taken", _i);
  ck_assert_int_eq(outcome.error.error_class, refusal->class);
  ck_assert_msg(strstr(outcome.error.text, refusal->says) != NULL, "%s", outcome.error.text);
  ck_assert_ptr_nonnull(strstr(outcome.error.text, "identity 2"));
  ck_assert_msg(strcasestr(outcome.error.text, "EGTZVFFV") == NULL, "the error quotes a key");
}
END_TEST

/* Each byte of an SSH private key's content altered, and each length of it: refused or harmless, never a crash. */
START_TEST(damaged_ssh_keys_do_no_harm) {
  static const char *const files[] = {VECTORS "own/keys/ssh_ed25519_a", VECTORS "own/keys/ssh_rsa_a"};
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT;
  read_whole(files[_i], &key);
  size_t step = 1 + key.size / 600;
  for (size_t at = 0; at < key.size; at += step)
    for (int cut = 0; cut < 2; cut++) {
      BO_CLEANUP_BUFFER struct bo_buffer damaged = BO_BUFFER_INIT;
      bo_buffer_append(&damaged, key.bytes, cut ? at : key.size);
      if (!cut) damaged.bytes[at] = damaged.bytes[at] == 'A' ? 'B' : 'A';
      setup_identity(setup_init(&setup), bo_buffer_text(&damaged));
      CLEANUP_OUTCOME struct outcome outcome = transform(BO_DECODE, &setup, "", 0, whole);
      ck_assert_int_eq(outcome.result, BO_ERROR);
      /* The last newline may be missing. */
      if (cut && at < key.size - 1) ck_assert(!outcome.opened);
    }
}
END_TEST

START_TEST(a_key_follows_no_other) {
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT;
  read_whole(VECTORS "own/keys/ssh_ed25519_a", &key);
  bo_buffer_append_text(&key, "\n  \n");
  setup_identity(setup_init(&setup), bo_buffer_text(&key));
  CLEANUP_OUTCOME struct outcome blanks = transform(BO_DECODE, &setup, "", 0, whole);
  ck_assert(blanks.opened);
  bo_buffer_append_text(&key, SECRET);
  setup_identity(setup_init(&setup), bo_buffer_text(&key));
  CLEANUP_OUTCOME struct outcome outcome = transform(BO_DECODE, &setup, "", 0, whole);
  ck_assert(!outcome.opened);
  ck_assert_ptr_nonnull(strstr(outcome.error.text, "followed by something else"));
}
END_TEST

/* An Ed25519 key as OpenSSL writes it, in PKCS#8, opens what its public half was given for. */
START_TEST(ed25519_in_pkcs8_is_an_identity) {
  static const unsigned char wire_begin[] = "\0\0\0\x0bssh-ed25519\0\0\0\x20";
  unsigned char wire[sizeof(wire_begin) - 1 + 32];
  size_t size = 32;
  char *pem = NULL, line[128] = "ssh-ed25519 ";
  EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  BIO *out = BIO_new(BIO_s_mem());
  memcpy(wire, wire_begin, sizeof(wire_begin) - 1);
  ck_assert_int_eq(EVP_PKEY_get_raw_public_key(pair, wire + sizeof(wire_begin) - 1, &size), 1);
  ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(out, pair, NULL, NULL, 0, NULL, NULL), 1);
  ck_assert_int_eq(BIO_write(out, "", 1), 1);
  ck_assert_int_gt(BIO_get_mem_data(out, &pem), 0);
  age_base64_encode(wire, sizeof(wire), line + strlen(line));

  setup_recipient(setup_init(&setup), line);
  CLEANUP_OUTCOME struct outcome file = transform(BO_ENCODE, &setup, "text", 4, whole);
  ck_assert_msg(file.result == BO_DONE, "%s", file.error.text);
  setup_identity(setup_init(&setup), pem);
  CLEANUP_OUTCOME struct outcome back = transform(BO_DECODE, &setup, file.bytes.bytes, file.bytes.size, whole);
  assert_bytes(&back, "text", 4);
  BIO_free(out);
  EVP_PKEY_free(pair);
}
END_TEST

START_TEST(base64_has_one_spelling) {
  static const struct {
    const char *text;
    long size; /* -1: refused */
  } cases[] = {{"", 0},       {"AA", 1},    {"AAA", 2},   {"AAAA", 3}, {"A", -1},
               {"AAAAA", -1}, {"AB", -1},   {"AAB", -1},  {"AA=", -1}, {"AA==", -1},
               {"A A", -1},   {"AA\n", -1}, {"AA-_", -1}, {"+/+/", 3}, {"AAAAAA", 4}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    unsigned char bytes[8];
    char again[16] = "";
    size_t size;
    bool ok = age_base64_decode(cases[i].text, strlen(cases[i].text), bytes, sizeof(bytes), &size);
    ck_assert_int_eq(ok ? (long)size : -1, cases[i].size);
    if (!ok) continue;
    age_base64_encode(bytes, size, again);
    ck_assert_str_eq(again, cases[i].text);
  }
  unsigned char few[2];
  size_t size;
  ck_assert(!age_base64_decode("AAAA", 4, few, sizeof(few), &size));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("age-keys");
  TCase *tests = tcase_create("keys");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, malformed_recipients_are_named, 0, sizeof(recipients) / sizeof(recipients[0]));
  tcase_add_test(tests, points_of_low_order_are_no_recipients);
  tcase_add_loop_test(tests, malformed_identities_are_named_but_not_quoted, 0,
                      sizeof(identities) / sizeof(identities[0]));
  tcase_add_loop_test(tests, damaged_ssh_keys_do_no_harm, 0, 2);
  tcase_add_test(tests, a_key_follows_no_other);
  tcase_add_test(tests, ed25519_in_pkcs8_is_an_identity);
  tcase_add_test(tests, base64_has_one_spelling);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
