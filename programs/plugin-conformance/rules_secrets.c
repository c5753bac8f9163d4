#include "programs/plugin-conformance/rules.h"
const struct conf_rule conf_secret_rules[] = {{.id = NULL}};
