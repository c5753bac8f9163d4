#include "programs/plugin-conformance/rules.h"
const struct conf_rule conf_abi_rules[] = {{.id = NULL}};
