/* Which functions and methods there are, and what is said about those that are left out on purpose. */
#include "core/template/internal.h"

static const struct function *const tables[] = {functions_builtin, functions_convert, functions_data, functions_encode,
                                                functions_list,    functions_map,     functions_math, functions_path,
                                                functions_regexp,  functions_string,  functions_time, functions_url,
                                                functions_version};

static const struct {
  const char *name;
  const char *why_not;
} refused[] = {
    {"env", "is not available: a template cannot read the environment"},
    {"expandenv", "is not available: a template cannot read the environment"},
    {"getHostByName", "is not available: a template cannot use the network"},
    {"randAlphaNum", "is not available: the same template must give the same text"},
    {"randAlpha", "is not available: the same template must give the same text"},
    {"randAscii", "is not available: the same template must give the same text"},
    {"randNumeric", "is not available: the same template must give the same text"},
    {"randBytes", "is not available: the same template must give the same text"},
    {"randInt", "is not available: the same template must give the same text"},
    {"shuffle", "is not available: the same template must give the same text"},
    {"uuidv4", "is not available: the same template must give the same text; .metadata.uid names the run"},
    {"bcrypt", "is not available: a template makes no keys and passwords"},
    {"htpasswd", "is not available: a template makes no keys and passwords"},
    {"derivePassword", "is not available: a template makes no keys and passwords"},
    {"genPrivateKey", "is not available: a template makes no keys and passwords"},
    {"buildCustomCert", "is not available: a template makes no keys and passwords"},
    {"genCA", "is not available: a template makes no keys and passwords"},
    {"genCAWithKey", "is not available: a template makes no keys and passwords"},
    {"genSelfSignedCert", "is not available: a template makes no keys and passwords"},
    {"genSelfSignedCertWithKey", "is not available: a template makes no keys and passwords"},
    {"genSignedCert", "is not available: a template makes no keys and passwords"},
    {"genSignedCertWithKey", "is not available: a template makes no keys and passwords"},
    {"encryptAES", "is not available: a template makes no keys and passwords"},
    {"decryptAES", "is not available: a template makes no keys and passwords"},
};

static const struct function *search(const struct function *table, struct text name) {
  for (; table->name != NULL; table++)
    if (text_is(name, table->name)) return table;
  return NULL;
}

const struct function *function_find(struct text name, const char **why_not) {
  *why_not = NULL;
  for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
    const struct function *function = search(tables[i], name);
    if (function != NULL) return function;
  }
  for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
    if (text_is(name, refused[i].name)) *why_not = refused[i].why_not;
  return NULL;
}

const struct function *method_find(struct value receiver, struct text name) {
  if (receiver.kind == VALUE_TIME) return search(methods_time, name);
  if (receiver.kind == VALUE_VERSION) return search(methods_version, name);
  if (receiver.kind != VALUE_INT) return NULL;
  if (receiver.type == TYPE_DURATION) return search(methods_duration, name);
  return receiver.type == TYPE_MONTH || receiver.type == TYPE_WEEKDAY ? search(methods_name, name) : NULL;
}
