/* plugins/storage-s3/config.c - the parameters, and the address that follows from them. */
#include <arpa/inet.h>
#include <strings.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "plugins/storage-s3/storage-s3.h"

enum {
  PARAM_BUCKET,
  PARAM_ENDPOINT,
  PARAM_REGION,
  PARAM_INSECURE,
  PARAM_PATH_STYLE,
  PARAM_ACCESS_KEY,
  PARAM_SECRET_KEY,
  PARAM_SESSION_TOKEN,
  PARAM_PREFIX,
  PARAM_CA_BUNDLE,
  PARAM_SKIP_VERIFY,
  PARAM_PART_SIZE,
  PARAM_MAX_PARTS,
  PARAM_CONCURRENCY,
  PARAM_MEMORY_LIMIT,
  PARAM_STORAGE_CLASS,
  PARAM_IF_NONE_MATCH,
  PARAM_REQUEST_TIMEOUT,
  PARAM_CONNECT_TIMEOUT,
  PARAM_COUNT
};

_Static_assert(PARAM_COUNT == S3_PARAM_COUNT, "the header names the number of parameters");

const struct bo_param s3_params[S3_PARAM_COUNT] = {
    [PARAM_BUCKET] = {.key = "bucket",
                      .type = BO_TYPE_STRING,
                      .flags = BO_PARAM_REQUIRED,
                      .minimum = 1,
                      .maximum = 255,
                      .description = "The bucket. It must exist."},
    [PARAM_ENDPOINT] = {.key = "endpoint",
                        .type = BO_TYPE_STRING,
                        .minimum = 1,
                        .maximum = 1000,
                        .description =
                            "The server: host, host:port, or a URL with http:// or https://. Default: Amazon "
                            "S3 in the region."},
    [PARAM_REGION] = {.key = "region",
                      .type = BO_TYPE_STRING,
                      .default_value = "us-east-1",
                      .minimum = 1,
                      .maximum = 64,
                      .description = "The region that requests are signed for."},
    [PARAM_INSECURE] = {.key = "insecure",
                        .type = BO_TYPE_BOOL,
                        .default_value = "false",
                        .description = "Plain HTTP, where the endpoint does not say http:// or https://."},
    [PARAM_PATH_STYLE] = {.key = "s3ForcePathStyle",
                          .type = BO_TYPE_BOOL,
                          .default_value = "false",
                          .description = "The bucket in the path (https://host/bucket/key) instead of in the host's "
                                         "name. Most servers other than Amazon's need it."},
    [PARAM_ACCESS_KEY] = {.key = "accessKey",
                          .type = BO_TYPE_STRING,
                          .minimum = 1,
                          .maximum = 253,
                          .description = "The name of the secret's entry with the access key's id. Default: "
                                         "AWS_ACCESS_KEY_ID, if the secret has it."},
    [PARAM_SECRET_KEY] = {.key = "secretKey",
                          .type = BO_TYPE_STRING,
                          .minimum = 1,
                          .maximum = 253,
                          .description = "The name of the secret's entry with the secret key. Default: "
                                         "AWS_SECRET_ACCESS_KEY, if the secret has it."},
    [PARAM_SESSION_TOKEN] = {.key = "sessionToken",
                             .type = BO_TYPE_STRING,
                             .minimum = 1,
                             .maximum = 253,
                             .description = "The name of the secret's entry with the session token of temporary "
                                            "credentials. Default: AWS_SESSION_TOKEN, if the secret has it."},
    [PARAM_PREFIX] = {.key = "prefix",
                      .type = BO_TYPE_STRING,
                      .maximum = 512,
                      .description = "All keys lie under this folder of the bucket."},
    [PARAM_CA_BUNDLE] = {.key = "caBundle",
                         .type = BO_TYPE_STRING,
                         .maximum = 1000000,
                         .description = "The certificates (PEM) that the server's must come from, instead of the "
                                        "system's."},
    [PARAM_SKIP_VERIFY] = {.key = "insecureSkipVerify",
                           .type = BO_TYPE_BOOL,
                           .default_value = "false",
                           .description = "Take any certificate: whoever is on the way can then read and alter "
                                          "everything."},
    [PARAM_PART_SIZE] = {.key = "partSize",
                         .type = BO_TYPE_SIZE,
                         .default_value = "5MiB",
                         .minimum = S3_PART_MIN,
                         .maximum = S3_PART_MAX,
                         .description = "The size of the first parts. Later ones grow, so that 5 TiB fit."},
    [PARAM_MAX_PARTS] = {.key = "maxParts",
                         .type = BO_TYPE_INTEGER,
                         .default_value = "10000",
                         .minimum = 1,
                         .maximum = 10000,
                         .description = "The most parts that the server takes for one object; some take only 1000."},
    [PARAM_CONCURRENCY] = {.key = "concurrency",
                           .type = BO_TYPE_INTEGER,
                           .default_value = "5",
                           .minimum = 1,
                           .maximum = S3_CONCURRENCY_MAX,
                           .description = "The most parts in memory, one being filled and the others on their way. It "
                                          "falls as parts grow."},
    [PARAM_MEMORY_LIMIT] = {.key = "memoryLimit",
                            .type = BO_TYPE_SIZE,
                            .default_value = "2GiB",
                            .minimum = S3_PART_MIN,
                            .maximum = INT64_C(1) << 40,
                            .description = "The most memory for parts. A backup whose expected size needs more is "
                                           "refused before its first byte."},
    [PARAM_STORAGE_CLASS] = {.key = "storageClass",
                             .type = BO_TYPE_STRING,
                             .maximum = 64,
                             .description = "The class that objects are stored in, such as STANDARD_IA. Default: the "
                                            "bucket's."},
    [PARAM_IF_NONE_MATCH] = {.key = "ifNoneMatch",
                             .type = BO_TYPE_BOOL,
                             .default_value = "false",
                             .description = "Never overwrite: a backup to a key that is taken fails."},
    [PARAM_REQUEST_TIMEOUT] = {.key = "requestTimeoutSeconds",
                               .type = BO_TYPE_SECONDS,
                               .default_value = "60",
                               .minimum = 1,
                               .maximum = 3600,
                               .description = "A request that moves no byte for so long has failed."},
    [PARAM_CONNECT_TIMEOUT] = {.key = "connectTimeoutSeconds",
                               .type = BO_TYPE_SECONDS,
                               .default_value = "10",
                               .minimum = 1,
                               .maximum = 600,
                               .description = "The longest time to find the server, to connect and to agree on TLS."},
};

static int wrong(struct bo_error *error, const char *key, const char *why) {
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "the parameter %s %s", key, why);
}

/* What may stand in a header or a host's name: printable ASCII without blanks. */
static bool is_word(const char *text) {
  for (; *text != '\0'; text++)
    if (*text <= ' ' || *text > '~') return false;
  return true;
}

/* A name that may stand before the server's: lower case, digits, hyphens; dots only where no certificate is asked. */
static bool fits_host(const char *bucket, bool tls) {
  size_t length = strlen(bucket);
  if (length < 3 || length > 63 || bucket[0] == '-' || bucket[length - 1] == '-') return false;
  if (bucket[0] == '.' || bucket[length - 1] == '.' || strstr(bucket, "..") != NULL) return false;
  size_t good =
      strspn(bucket, tls ? "abcdefghijklmnopqrstuvwxyz0123456789-" : "abcdefghijklmnopqrstuvwxyz0123456789-.");
  return good == length;
}

static bool is_address(const char *host, size_t length) {
  char text[INET6_ADDRSTRLEN + 1];
  struct in_addr address;
  if (host[0] == '[') return true;
  if (length >= sizeof(text)) return false;
  memcpy(text, host, length);
  text[length] = '\0';
  return inet_pton(AF_INET, text, &address) == 1;
}

/* Splits "host[:port]"; the port of the scheme is dropped, as it is in the header Host. */
static int split_port(const char *authority, bool tls, size_t *host_length, const char **port, struct bo_error *error) {
  const char *bracket = authority[0] == '[' ? strchr(authority, ']') : authority;
  const char *colon = bracket == NULL ? NULL : strchr(bracket, ':');
  if (bracket == NULL) return wrong(error, "endpoint", "has a '[' without ']'");
  *host_length = colon == NULL ? strlen(authority) : (size_t)(colon - authority);
  *port = "";
  if (*host_length == 0) return wrong(error, "endpoint", "has no host");
  if (colon == NULL) return BO_OK;
  int64_t number = 0;
  if (!bo_parse_int64(colon + 1, &number) || number < 1 || number > 65535)
    return wrong(error, "endpoint", "has a port that is no number from 1 to 65535");
  if (number != (tls ? 443 : 80)) *port = colon;
  return BO_OK;
}

static int read_endpoint(struct s3_config *config, const char *endpoint, bool insecure, bool path_style,
                         struct bo_error *error) {
  struct bo_arena *memory = &config->memory;
  config->tls = !insecure;
  if (strncasecmp(endpoint, "http://", 7) == 0) {
    config->tls = false;
    endpoint += 7;
  } else if (strncasecmp(endpoint, "https://", 8) == 0) {
    config->tls = true;
    endpoint += 8;
  }
  size_t length = strcspn(endpoint, "/");
  const char *rest = endpoint + length;
  const char *authority = bo_arena_copy(memory, endpoint, length);
  if (authority == NULL) return bo_error_no_memory(error);
  if (strspn(rest, "/") != strlen(rest)) return wrong(error, "endpoint", "has a path: give the host, and a port");
  if (!is_word(authority) || strpbrk(authority, "@?#%\\\"<>") != NULL)
    return wrong(error, "endpoint", "holds characters that no host has: give host, host:port or a URL of these");
  size_t host_length = 0;
  const char *port = "";
  if (split_port(authority, config->tls, &host_length, &port, error) != BO_OK) return BO_ERROR;
  if (path_style || is_address(authority, host_length) || !fits_host(config->bucket, config->tls)) {
    BO_CLEANUP_BUFFER struct bo_buffer path = BO_BUFFER_INIT;
    (void)bo_buffer_append_text(&path, "/");
    s3_uri_encode(&path, config->bucket, false);
    config->path = bo_arena_copy(memory, bo_buffer_text(&path), path.size);
    config->host = bo_arena_printf(memory, "%.*s%s", (int)host_length, authority, port);
  } else {
    config->path = "";
    config->host = bo_arena_printf(memory, "%s.%.*s%s", config->bucket, (int)host_length, authority, port);
  }
  config->origin = bo_arena_printf(memory, "%s://%s", config->tls ? "https" : "http", config->host);
  return BO_OK;
}

static const char *copy(struct s3_config *config, const struct bo_value *value) {
  return value->string == NULL ? NULL : bo_arena_copy(&config->memory, value->string, strlen(value->string));
}

/* "/a/b" and "a/b/" mean "a/b/". */
static int read_prefix(struct s3_config *config, const char *prefix, struct bo_error *error) {
  config->prefix = "";
  if (prefix == NULL) return BO_OK;
  if (!bo_is_utf8(prefix, strlen(prefix))) return wrong(error, "prefix", "is not valid UTF-8");
  prefix += strspn(prefix, "/");
  size_t length = strlen(prefix);
  if (length > 0)
    config->prefix = bo_arena_printf(&config->memory, "%s%s", prefix, prefix[length - 1] == '/' ? "" : "/");
  return BO_OK;
}

static void read_numbers(struct s3_config *config, const struct bo_value *values) {
  config->verify = values[PARAM_SKIP_VERIFY].integer == 0;
  config->if_none_match = values[PARAM_IF_NONE_MATCH].integer != 0;
  config->part_bytes = values[PARAM_PART_SIZE].integer;
  config->memory_bytes = values[PARAM_MEMORY_LIMIT].integer;
  config->max_parts = (unsigned)values[PARAM_MAX_PARTS].integer;
  config->concurrency = (unsigned)values[PARAM_CONCURRENCY].integer;
  config->request_timeout_s = (long)values[PARAM_REQUEST_TIMEOUT].integer;
  config->connect_timeout_s = (long)values[PARAM_CONNECT_TIMEOUT].integer;
}

int s3_config_read(struct s3_config *config, const struct bo_config *given, struct bo_error *error) {
  const struct bo_value *values = given->values;
  struct s3_plan plan;
  *config = (struct s3_config){.memory = BO_ARENA_INIT};
  if (given->value_count < PARAM_COUNT || values[PARAM_BUCKET].string == NULL)
    return wrong(error, "bucket", "is missing");
  read_numbers(config, values);
  config->bucket = copy(config, &values[PARAM_BUCKET]);
  config->region = copy(config, &values[PARAM_REGION]);
  config->ca_bundle = copy(config, &values[PARAM_CA_BUNDLE]);
  config->storage_class = copy(config, &values[PARAM_STORAGE_CLASS]);
  if (config->memory.failed) return bo_error_no_memory(error);
  if (!is_word(config->bucket) || strchr(config->bucket, '/') != NULL)
    return wrong(error, "bucket", "is no bucket's name: a folder in the bucket goes into prefix");
  if (!is_word(config->region)) return wrong(error, "region", "is no region's name");
  if (config->storage_class != NULL && !is_word(config->storage_class))
    return wrong(error, "storageClass", "is no storage class");
  const char *endpoint = values[PARAM_ENDPOINT].string;
  if (endpoint == NULL) {
    endpoint = bo_arena_printf(&config->memory, "s3.%s.amazonaws.com%s", config->region,
                               strncmp(config->region, "cn-", 3) == 0 ? ".cn" : "");
    if (endpoint == NULL) return bo_error_no_memory(error);
  }
  if (read_endpoint(config, endpoint, values[PARAM_INSECURE].integer != 0, values[PARAM_PATH_STYLE].integer != 0,
                    error) != BO_OK ||
      read_prefix(config, values[PARAM_PREFIX].string, error) != BO_OK ||
      s3_config_plan(config, -1, &plan, error) != BO_OK)
    return BO_ERROR;
  return config->memory.failed ? bo_error_no_memory(error) : BO_OK;
}

void s3_config_free(struct s3_config *config) {
  bo_arena_free(&config->memory);
}

int s3_config_plan(const struct s3_config *config, int64_t size_hint_bytes, struct s3_plan *plan,
                   struct bo_error *error) {
  return s3_plan_make(plan, config->part_bytes, config->max_parts, config->concurrency, config->memory_bytes,
                      size_hint_bytes, error);
}

int s3_config_credentials(struct s3_credentials *credentials, struct bo_arena *memory, const struct bo_config *given,
                          struct bo_error *error) {
  const struct bo_value *values = given->values;
  return s3_credentials_find(credentials, memory, given, &values[PARAM_ACCESS_KEY], &values[PARAM_SECRET_KEY],
                             &values[PARAM_SESSION_TOKEN], error);
}
