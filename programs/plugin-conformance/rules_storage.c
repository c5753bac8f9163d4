#include "programs/plugin-conformance/rules.h"
const struct conf_rule conf_storage_rules[] = {{.id = NULL}};
