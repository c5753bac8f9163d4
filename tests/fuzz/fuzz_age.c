/*
 * A whole age file through the plugin, with an X25519, an SSH and a passphrase identity: no input may crash it, hang
 * it, or make it say that a stream is whole which the other way of cutting it does not give. The first byte of the
 * input chooses the sizes of the pieces; the rest is the file.
 */
#include <backup-operator/plugin.h>

#include "tests/support/fake_host.h"

#define IDENTITY "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"
#define WORK_FACTOR_MAX 10 /* the cost of a passphrase is tested elsewhere */

#define ROOM_SIZE 70000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Sends the file; `digest` gets a checksum of the plaintext. Returns what the last call answered. */
static int decode(const struct bo_host *host, const uint8_t *data, size_t size, size_t in_step, size_t out_step,
                  uint64_t *digest) {
  struct bo_value values[4] = {{0}, {0}, {0}, {.is_set = 1, .integer = WORK_FACTOR_MAX, .string = "10"}};
  struct bo_secret secrets[] = {{"identity", (const unsigned char *)IDENTITY, sizeof(IDENTITY) - 1},
                                {"passphrase", (const unsigned char *)"password", 8}};
  struct bo_config config = {
      .header = BO_HEADER(struct bo_config), .values = values, .value_count = 4, .secrets = secrets, .secret_count = 2};
  struct bo_error error = BO_ERROR_INIT;
  static unsigned char room[ROOM_SIZE];
  void *instance = NULL;
  const struct bo_transform_operations *operations = bo_plugin_init(host, &error)->operations;
  if (operations->open(host, BO_DECODE, &config, &instance, &error) != BO_OK) abort();
  int result = BO_NEED_INPUT;
  *digest = 0;
  for (size_t sent = 0; result == BO_NEED_INPUT;) {
    struct bo_input in = {data + sent, size - sent < in_step ? size - sent : in_step, 0};
    sent += in.size;
    do {
      struct bo_output out = {room, out_step, 0};
      size_t before = in.position;
      result = operations->process(instance, &in, &out, sent == size ? BO_END : BO_CONTINUE, &error);
      if (in.position > in.size || out.position > out.size) abort();
      if (result == BO_AGAIN && in.position == before && out.position == 0) abort();
      for (size_t i = 0; result != BO_ERROR && i < out.position; i++)
        *digest = *digest * 31 + room[i] + 1;
    } while (result == BO_AGAIN);
    if (result == BO_NEED_INPUT && sent == size) abort();
  }
  operations->close(instance);
  return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const size_t steps[] = {1, 7, 64, 1000, 65536, ROOM_SIZE};
  enum { STEP_COUNT = sizeof(steps) / sizeof(steps[0]) };
  struct fake_host fake;
  uint64_t first, second;
  if (size == 0) return 0;
  const struct bo_host *host = fake_host_open(&fake);
  int one = decode(host, data + 1, size - 1, steps[data[0] % STEP_COUNT], steps[data[0] / 16 % STEP_COUNT], &first);
  int other = decode(host, data + 1, size - 1, size, ROOM_SIZE, &second);
  if (one != other || (one == BO_DONE && first != second)) abort();
  if (atomic_load(&fake.live) != 0) abort();
  return 0;
}
